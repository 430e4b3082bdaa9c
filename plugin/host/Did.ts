/**
 * What a command has done, in one line for whoever typed it in a chat: a row for each, which the compiler asks for.
 * It never says more than the node's yes: what comes later is told as an event, and the row names where to look.
 */
import type { Input } from "../../core/index.ts"

type Told<Tag extends Input.Command["_tag"]> = Input.Command & { readonly _tag: Tag }

const who = ({ keyPrefix, name }: { readonly name: string; readonly keyPrefix: string }): string =>
  `@${name}${keyPrefix === "" ? "" : `#${keyPrefix.slice(0, 8)}`}`

const rows: { readonly [Tag in Input.Command["_tag"]]: (command: Told<Tag>) => string } = {
  Friend: ({ to }) => `asked @${to} to be friends; /requests shows whom you asked`,
  Accept: (command) =>
    `accepted ${command.name === "" ? "the only request" : who(command)}; /friends shows it once our answer is there`,
  Deny: (command) => `turned ${who(command)} down; nobody is told`,
  Unfriend: (command) => `${who(command)} is no friend any more, and may do nothing here`,
  Confirm: (command) => `settled: the key we hold of ${who(command)} is right`,
  Grant: (command) => `${who(command)} may ${command.capability} from now on; /revoke takes it back`,
  Revoke: (command) => `${who(command)} may not ${command.capability} any more`,
  Message: (command) => `on its way to ${who(command)}`,
  Inject: (command) => `asked ${who(command)}`,
  Name: (command) => `${who(command)} is @${command.called} to you from now on`,
  Hold: (command) =>
    command.when === "never"
      ? `no question of ${who(command)} waits for you any more`
      : `questions of ${who(command)} wait for you: ${command.when}`,
  Mute: (command) =>
    command.muted
      ? `texts of ${who(command)} are kept and not announced; /unmute announces them again`
      : `texts of ${who(command)} are announced again`,
  Verify: (command) =>
    command.same
      ? `${who(command)} is verified`
      : `${who(command)}: noted as different; nothing goes there until /confirm`,
  Unverify: (command) => `the verification of ${who(command)} is taken back`,
  Compare: (command) =>
    `a comparison with ${who(command)} has begun; /verify ${who(command)} shows the string when both are there`,
  Compared: (command) =>
    `your word is noted: ${command.same ? "the same" : "different"}; /verify ${who(command)} shows the rest`,
  Require: ({ capability, trust }) =>
    trust === "verified" ? `${capability} is for verified friends only` : `nothing more is asked for ${capability}`,
  Approve: () => "approved; your agent answers it",
  Refuse: () => "refused; the friend is told",
  Cancel: () => "given up; /queue shows what became of it",
  CreateInvite: () => "an invite is made; /invites lists it",
  ClaimInvite: () => "its maker is looked for; /invites shows how it stands",
  RevokeInvite: () => "the invite is taken back",
  JoinTopic: ({ topic }) => `in ${topic.name} from now on; /discovered shows who is there`,
  LeaveTopic: ({ topic }) => `left ${topic.name}`,
  SetProfile: ({ content }) => `topics read of us now: @${content.name}`,
  Introduce: ({ one, other }) => `on its way to ${who(one)} and ${who(other)}; what comes of it is theirs`,
  Connect: (command) => `asked ${who(command)} to be friends; /requests shows how it stands`,
  AddRule: () => "the rule holds from now on; /auto-accept list shows it",
  RemoveRule: () => "the rule is gone"
}

/** What a command has done, for whoever typed it. */
export const inWords = (command: Input.Command): string =>
  (rows[command._tag] as (one: Input.Command) => string)(command)
