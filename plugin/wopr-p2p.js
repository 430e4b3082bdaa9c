#!/usr/bin/env node
/**
 * The program `wopr-p2p`: every command of this package.
 * It holds no logic; see plugin/cli.ts.
 */
import { load } from "./load.js"

try {
  const { main } = await load("cli", import.meta.url)
  await main(process.argv.slice(2))
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = 1
}
