/**
 * The scripted answering program of the demo: it reads a request and prints one line of JSON about its own prison.
 * It must never copy a byte of the request into the JSON unless that byte is harmless there.
 * Every fact is read from the kernel by the program itself, so that the answer is evidence and not a promise.
 */

/** Where the image holds the program, and how a container runs it. */
export const demoProgramPath = "/demo-program.sh"
export const demoProgram: ReadonlyArray<string> = ["/bin/sh", demoProgramPath]

/**
 * POSIX shell; needs `cat`, `head`, `id`, `tr` and `wc`, and a writable `/tmp` as large as the request.
 * Prints `{requestBytes, requestText, uid, interfaces, routes, capEff, noNewPrivs, seccomp, writeError}` and a newline.
 */
export const demoProgramText = `#!/bin/sh
# Answers any request with one line of JSON: the request's size and beginning, and what confines this process.
set -u
LC_ALL=C
export LC_ALL
PATH=/bin:/usr/bin

# What may stand in a JSON string as it is; every other byte becomes a question mark.
harmless() { tr -c 'A-Za-z0-9 .,:;!?@#%&()*+/<=>_{}|~[]-' '?'; }

cat > /tmp/request || exit 2
bytes=$(wc -c < /tmp/request | tr -cd 0-9)
text=$(head -c 400 /tmp/request | harmless)

field() {
  while read -r name value; do
    if [ "$name" = "$1:" ]; then printf %s "$value" | harmless; return; fi
  done < /proc/self/status
}

# A line for each route after the heading: none means that there is no way out.
routes=-1
while read -r line; do routes=$((routes + 1)); done < /proc/net/route
[ "$routes" -ge 0 ] || routes=0

interfaces=
while read -r first rest; do
  case $first in
    *:*) name=$(printf %s "\${first%%:*}" | harmless); interfaces="$interfaces\${interfaces:+,}\\"$name\\"" ;;
  esac
done < /proc/net/dev

write_error=$( (echo x > /forbidden) 2>&1 | harmless)
write_error=\${write_error%\\?}

printf '{"requestBytes":%s,"requestText":"%s","uid":%s,' "$bytes" "$text" "$(id -u)"
printf '"interfaces":[%s],"routes":%s,' "$interfaces" "$routes"
printf '"capEff":"%s","noNewPrivs":%s,"seccomp":%s,' "$(field CapEff)" "$(field NoNewPrivs)" "$(field Seccomp)"
printf '"writeError":"%s"}\\n' "$write_error"
`
