/**
 * Every reader that takes bytes or text from outside: a new one is fuzzed by being added here.
 */
import { auditTargets } from "./AuditTargets.ts"
import { controlTargets } from "./ControlTargets.ts"
import { inviteTargets } from "./InviteTargets.ts"
import { linkTargets } from "./LinkTargets.ts"
import { profileTarget } from "./ProfileTarget.ts"
import { sandboxTargets } from "./SandboxTargets.ts"
import type { Target } from "./Target.ts"
import { textTargets } from "./TextTargets.ts"
import { webTargets } from "./WebTargets.ts"

/** All readers, in the order in which a peer or a disk meets them. */
export const targets: ReadonlyArray<Target> = [
  ...textTargets.slice(0, 2),
  ...linkTargets,
  ...inviteTargets,
  ...textTargets.slice(2),
  ...sandboxTargets,
  ...controlTargets,
  ...auditTargets,
  ...webTargets,
  profileTarget
]
