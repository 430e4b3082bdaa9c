/**
 * The help of the program `wopr-p2p`: every command and every option, in two columns.
 * It never says how something is done; README.md does. Shells complete from it, and tests hold the options against it.
 * Apart from the program, which has enough to do with what was typed.
 */

/** The whole help; `HelpText` fits it to a terminal and to one command. */
export const usage = `wopr-p2p: agents that become friends in a chat room and then talk directly, encrypted

  wopr-p2p run --name NAME [options]   a node of one's own, with a prompt
  wopr-p2p mcp [options]               the tools for an agent that speaks MCP
  wopr-p2p identity show|rotate|recovery [options]   the keys in a folder whose node does not run
  wopr-p2p identity export|import FILE [options]     identity, friends and what waits, to be moved
  wopr-p2p sandbox image|show [options]  the image that agents run in: made and approved, or shown
  wopr-p2p VERB … [options]            friends, message @bob "text", accept @bob: any command of the
                                       prompt, from another terminal; "wopr-p2p help commands"
                                       lists them
  wopr-p2p friend|p2p WORD …           the same in the words of the host's CLI: friend list
  wopr-p2p panel [options]             a link, good once, to the web panel of a node (run --panel)
  wopr-p2p doctor [options]            what is wrong with a node's folder, network, sandbox or
                                       model, and what mends it
  wopr-p2p audit verify [options]      whether the log of every decision about peers is as it
                                       was written
  wopr-p2p bugreport [FILE] [options]  a report without anybody's texts, names or keys, to pass on
  wopr-p2p migrate [options]           takes over what the former plugin left
  wopr-p2p demo [options]              two nodes meet, become friends and talk; it takes seconds
  wopr-p2p completion bash|zsh|fish    a script that has a shell complete all of this
  wopr-p2p help                        this text
  wopr-p2p version                     which version this is

Options of run
  --name NAME            how others address you in the room
  --room FILE            a shared file that serves as chat room (may be given several times)
  --irc HOST[:PORT]      an IRC server whose channels serve as chat rooms; over TLS, but
                         for one of this machine
  --irc-channel '#NAME'  a channel there (may be given several times)
  --irc-nick NICK        how the node is called there (else NAME, which others compare it with)
  --irc-account NAME     its account at the network's services, where there is one
  --irc-password-file FILE  the account's password, else the server's, in a file that only you
                         can read
  --irc-plain            speak without TLS: everybody on the way can read, and change, what is said
  --config FILE          a JSON file that says these options, by the names that README.md gives;
                         those given here count
  --local                use the network that nodes of this machine share, no internet needed
  --local-port PORT      its UDP port on 127.0.0.1, the same for all who should meet (default 49736)
  --bootstrap HOST:PORT  a DHT of your own instead of the public one (may be given several times)
  --data DIR             where identity and records live (else WOPR_P2P_HOME, and as README.md says)
  --sandbox WHO          who answers injects, in a Docker container: agent (default, needs a model),
                         scripted (a small fixed program, for trying out), or off: nobody
  --sandbox-runtime NAME the engine's runtime for containers, such as runsc (gVisor); refused where
                         it has none so named
  --model NAME           the language model that the agent asks, as its server calls it
  --model-url URL        its server, with the chat completions API: https, or http on this machine
  --model-key-file FILE  the key for it, in a file that only you can read (chmod 600)
  --warm N               containers kept started ahead, 0 to 4 (default 0): answers begin sooner,
                         45 MB each
  --budget-turn, --budget, --budget-all calls=N,tokens=N,minutes=N
                         what a turn may cost at most, a friend's turns in a day (UTC), and all's
  --keep MINUTES         a friend's container stays so long for its next question, 0 to 60
                         (default 0: never)
  --instructions FILE    what the model is told before anything else, instead of our few words
  --panel                serve the web panel and its API on 127.0.0.1, for "wopr-p2p panel"
  --panel-port PORT      its port (default 7334, any other where that is taken; 0: any)
  --json                 one JSON object per line instead of prose
  --attached             end when standard input ends: for a program that drives the node
  --log-level LEVEL      debug, info (default), warn, error, none
  --log-format FORMAT    text or json: logs, and what happens, as lines on standard error, for a
                         service

Options of mcp
  those of run, for a node of its own, which ends with standard input; where a node runs on the
  folder, that one is asked, and they say nothing
  --name NAME            needed the first time
  --tools-may-reply      tools may send and ask also in the hour after they have shown what others
                         wrote; without it only you, in a terminal
  --tools-may-grant      as --tools-may-reply, and tools may make friends, widen what they may do and
                         change whatever they are asked to

Options of identity
  --data DIR             where the identity lives, as for run; after run --local: what it printed
  --compromise           rotate: the old keys may be in other hands
  --recovery-file FILE   rotate: the recovery key, to win against whoever has stolen the old keys
  --passphrase-file FILE export, import: the passphrase is in there, for scripts; else you are asked
  --json                 facts as one JSON object

Options of sandbox
  --data DIR             the data folder that the image is approved for, as for run
  --from IMAGE           image: build on this one, such as node:24-slim, not this machine's files
  --json                 facts as one JSON object

Options of doctor
  --data DIR             the node's data folder, as for run
  --offline              nothing is asked of the network
  --json                 findings as one JSON object

Options of audit
  --data DIR             the node's data folder, as for run; the node may run or not
  --key KEY              the identity key that may have signed, where the folder has no identity
                         (a copy of the log)
  --json                 what was found as one JSON object

Options of bugreport
  --data DIR             the node's data folder, as for run; the node may run or not

Options of migrate
  --from DIR             the former plugin's folder (else the data folder, or where it kept files)
  --data DIR             where to put what is taken over, as for run
  --identity-json FILE   the row of the host's table p2p_identity as JSON: it is out of reach here
  --dry-run              say what would be done, and do nothing
  --json                 facts as one JSON object

Options of demo
  --json                 one JSON object per line, with "event"
  --require-sandbox      fail where no Docker engine is reachable, instead of skipping that step

Environment
  WOPR_P2P_PASSPHRASE    identity export, import: the passphrase, where no file is named
  WOPR_P2P_MODEL, WOPR_P2P_MODEL_URL, WOPR_P2P_MODEL_KEY
                         run: the model, where no option names it, and its key
  WOPR_P2P_IRC_PASSWORD  run: the IRC password, where no file is named
  WOPR_P2P_DOCKER_SOCKET the Docker engine's socket; else that of DOCKER_HOST (unix:///path only),
                         else /var/run/docker.sock
  WOPR_P2P_SANDBOX_RUNTIME  run: the runtime, where no option names it
  NO_COLOR               no colours

Exit codes: 0 done, 1 could not, 2 not understood, 3 no node is running
`
