#!/usr/bin/env bats
# Tests of the functions in api.func, in a shell as strict as that of the scripts. A fake curl records requests.

setup() {
  API_FUNC="$BATS_TEST_DIRNAME/../api.func"
  export TELEMETRY_BIN=none TELEMETRY_URL="http://127.0.0.1:1" TELEMETRY_ROOT="$BATS_TEST_TMPDIR"
  unset DIAGNOSTICS RANDOM_UUID EXECUTION_ID REPO_SOURCE REPO_SLUG INSTALL_LOG BUILD_LOG
}

# Runs a script with the first lines of an install script.
strict() {
  run bash -c "set -Eeuo pipefail; trap 'echo trapped; exit 99' ERR; source '$API_FUNC'; $1"
}

# fake NAME: installs a program first on PATH; its script comes from stdin.
fake() {
  mkdir -p "$BATS_TEST_TMPDIR/bin"
  { echo '#!/bin/bash'; cat; } >"$BATS_TEST_TMPDIR/bin/$1"
  chmod +x "$BATS_TEST_TMPDIR/bin/$1"
  PATH="$BATS_TEST_TMPDIR/bin:${PATH#"$BATS_TEST_TMPDIR/bin:"}"
}

# Records reports in the file `sent`, one per line.
keep_reports() {
  export SENT="$BATS_TEST_TMPDIR/sent"
  : >"$SENT"
  fake curl <<<'{ cat; echo; } >>"$SENT"'
  export DIAGNOSTICS=yes RANDOM_UUID=a-1
}

@test "sourcing prints nothing, succeeds and requires no variables" {
  strict ""
  [ "$status" -eq 0 ]
  [ -z "$output" ]
}

@test "it can be sourced from a pipe and from a string" {
  run bash -c "set -Eeuo pipefail; source <(cat '$API_FUNC'); explain_exit_code 127"
  [ "$status" -eq 0 ]
  [ -n "$output" ]
  run bash -c "set -Eeuo pipefail; source /dev/stdin <<<\"\$(cat '$API_FUNC')\"; explain_exit_code 127"
  [ "$status" -eq 0 ]
}

@test "every documented function is defined" {
  strict "declare -F post_to_api post_to_api_vm post_progress_to_api post_update_to_api post_tool_to_api \
    post_addon_to_api init_tool_telemetry telemetry_new_attempt start_install_timer get_install_duration \
    explain_exit_code categorize_error detect_gpu detect_cpu detect_ram get_error_text json_escape"
  [ "$status" -eq 0 ]
}

@test "without consent, id or server every function returns 0" {
  for consent in "" "DIAGNOSTICS=no" "DIAGNOSTICS=yes" "DIAGNOSTICS=yes; RANDOM_UUID=a-1"; do
    strict "$consent
      post_to_api; post_to_api_vm; post_progress_to_api; post_progress_to_api validation
      post_update_to_api; post_update_to_api failed x; post_update_to_api done 0 force
      post_tool_to_api; post_addon_to_api; telemetry_new_attempt; echo end"
    [ "$status" -eq 0 ]
    [ "$output" = "end" ]
  done
}

@test "a failing report does not trigger the script's ERR trap" {
  strict "DIAGNOSTICS=yes RANDOM_UUID=a-1; TELEMETRY_URL='http://['; post_update_to_api failed 1; echo end"
  [ "$output" = "end" ]
}

@test "the duration is measured from the start of the timer" {
  strict "get_install_duration; start_install_timer; get_install_duration; INSTALL_START_TIME=x; get_install_duration
    INSTALL_START_TIME=\$((INSTALL_START_TIME_NOW=\$(date +%s), INSTALL_START_TIME_NOW - 90)); get_install_duration"
  [ "${lines[0]}" = "0" ]
  [ "${lines[2]}" = "0" ]
  [ "${lines[3]}" -ge 90 ]
}

@test "a new attempt gets a new id and can report again" {
  strict "RANDOM_UUID=a EXECUTION_ID=a POST_TO_API_DONE=true POST_UPDATE_DONE=true; telemetry_new_attempt
    [[ \$EXECUTION_ID != a && \$RANDOM_UUID == a ]] && echo \$POST_TO_API_DONE \$POST_UPDATE_DONE"
  [ "$output" = "false false" ]
}

@test "init_tool_telemetry keeps the status and the EXIT trap of the script" {
  run bash -c "source '$API_FUNC'; trap 'echo \"it'\\''s over \$?\"' EXIT; init_tool_telemetry microcode; exit 7"
  [ "$status" -eq 7 ]
  [ "$output" = "it's over 7" ]
  strict "init_tool_telemetry '' addon; exit 0"
  [ "$status" -eq 0 ]
  [ -z "$output" ]
}

@test "the EXIT trap of init_tool_telemetry triggers neither errexit nor an ERR trap" {
  strict "trap 'echo \"over \$?\"' EXIT; init_tool_telemetry microcode; exit 7"
  [ "$status" -eq 7 ]
  [ "$output" = "over 7" ]
  keep_reports
  run bash -c "set -Eeuo pipefail; trap 'echo \"failed: \$BASH_COMMAND\"' ERR; source '$API_FUNC'
    trap 'echo \"over \$?\"; false; echo not here' EXIT; init_tool_telemetry microcode; (exit 3)"
  [ "${lines[0]}" = "failed: ( exit 3 )" ]
  [ "${lines[1]}" = "over 3" ]
  # The previous trap belongs to the script and still fails.
  [ "${#lines[@]}" -eq 3 ]
  [[ "$(<"$SENT")" == *'"nsapp":"microcode"'*'"status":"failed"'*'"exit_code":3'* ]]
}

@test "a second init_tool_telemetry replaces the first" {
  keep_reports
  strict "init_tool_telemetry first; init_tool_telemetry second; exit 0"
  [ "$(wc -l <"$SENT")" -eq 1 ]
  [[ "$(<"$SENT")" == *'"nsapp":"second"'* ]]
}

@test "the folder of the file is found with CDPATH set" {
  mkdir -p "$BATS_TEST_TMPDIR/misc"
  cp "$API_FUNC" "$BATS_TEST_TMPDIR/misc/api.func"
  printf '#!/bin/sh\necho "$1" >>"%s/called"\n' "$BATS_TEST_TMPDIR" >"$BATS_TEST_TMPDIR/misc/telemetry"
  chmod +x "$BATS_TEST_TMPDIR/misc/telemetry"
  cd "$BATS_TEST_TMPDIR"
  DIAGNOSTICS=yes CDPATH="$BATS_TEST_TMPDIR" run bash -c "set -Eeuo pipefail; unset TELEMETRY_BIN
    source misc/api.func; post_tool_to_api x"
  [ "$status" -eq 0 ]
  [ -z "$output" ]
  [ "$(<called)" = "tool" ]
}

@test "a report is sent without its log if awk takes too long" {
  keep_reports
  # Long enough for a busy machine to start awk again.
  export TELEMETRY_BUDGET_MS=8000
  printf 'the reason\nno awk gets over this line\n' >"$BATS_TEST_TMPDIR/build.log"
  for awk in mawk gawk; do
    command -v "$awk" >/dev/null || continue
    : >"$SENT"
    fake awk <<EOF
read_all="\$(cat; echo x)"
[[ "\$read_all" != *"no awk gets over"* ]] || exec sleep 20
printf '%s' "\${read_all%x}" | $(command -v "$awk") "\$@"
EOF
    strict "BUILD_LOG=$BATS_TEST_TMPDIR/build.log; post_update_to_api failed 100"
    [ -z "$output" ]
    [[ "$(<"$SENT")" == *'"exit_code":100'*'"error":"exit_code=100 | APT: '* ]]
    [[ "$(<"$SENT")" != *"the reason"* ]]
  done
}

@test "very long lines and words are truncated, with every awk" {
  keep_reports
  {
    printf 'begin %0900d secret=%0900d %s' 1 2 "$(printf 'word %.0s' {1..300})"
    printf '\npassword="never closed, with words\nE: the end\n'
  } >"$BATS_TEST_TMPDIR/build.log"
  for awk in mawk gawk; do
    command -v "$awk" >/dev/null || continue
    : >"$SENT"
    fake awk <<<"exec $(command -v "$awk") \"\$@\""
    strict "BUILD_LOG=$BATS_TEST_TMPDIR/build.log; post_update_to_api failed 1"
    [[ "$(<"$SENT")" == *'---\nbegin <token>\npassword=\"<secret>\nE: the end"'* ]]
  done
}

@test "facts are collected once per shell, and once per boot of the host" {
  keep_reports
  export CALLS="$BATS_TEST_TMPDIR/calls"
  fake lspci <<<'echo lspci >>"$CALLS"; echo "00:02.0 VGA compatible controller: Intel Corporation UHD (rev 0c)"'
  mkdir -p "$TELEMETRY_ROOT/proc/sys/kernel/random"
  echo boot-1 >"$TELEMETRY_ROOT/proc/sys/kernel/random/boot_id"
  strict "post_to_api; post_progress_to_api"
  strict "post_update_to_api done 0"
  [ "$(wc -l <"$CALLS")" -eq 1 ]
  [ "$(grep -c '"gpu_model":"Intel Corporation UHD"' "$SENT")" -eq 3 ]
  [ "$(stat -c %a "$TELEMETRY_ROOT/var/lib/community-scripts/telemetry")" -eq 700 ]
  echo boot-2 >"$TELEMETRY_ROOT/proc/sys/kernel/random/boot_id"
  strict "post_to_api"
  [ "$(wc -l <"$CALLS")" -eq 2 ]
  # With a folder that cannot be written.
  export TELEMETRY_SPOOL_DIR="$SENT/below-a-file"
  strict "post_to_api; post_progress_to_api; GPU_MODEL=mine; post_update_to_api done 0"
  [ "$(wc -l <"$CALLS")" -eq 3 ]
  [ "$(grep -c '"gpu_model":"Intel Corporation UHD"' "$SENT")" -eq 6 ]
  [[ "$(tail -n 1 "$SENT")" == *'"gpu_model":"mine"'* ]]
}

@test "programs that hang do not prevent the report" {
  keep_reports
  for program in pveversion dpkg-query lspci dmidecode incus; do
    fake "$program" <<<'exec sleep 20'
  done
  strict "post_to_api; post_update_to_api done 0"
  [ "$status" -eq 0 ]
  [ -z "$output" ]
  [[ "$(tail -n 1 "$SENT")" == *'"status":"success"'* ]]
}

@test "reports work without EPOCHREALTIME, with a simple timeout and without any" {
  keep_reports
  strict "unset EPOCHREALTIME; post_to_api"
  fake timeout <<<"[[ \$3 != *.* ]] && exec $(command -v timeout) \"\$@\"; exit 1"
  strict "post_to_api"
  fake timeout <<<'exit 127'
  strict "post_to_api"
  [ "$(grep -c '"status":"installing"' "$SENT")" -eq 3 ]
}

@test "a program that hangs is killed" {
  keep_reports
  fake hanging <<<'echo called >>"$SENT"; sleep 5; echo survived >>"$SENT"'
  export TELEMETRY_BIN="$BATS_TEST_TMPDIR/bin/hanging" TELEMETRY_BUDGET_MS=100
  strict "post_to_api; echo end"
  [ "$output" = "end" ]
  [ "$(<"$SENT")" = "called" ]
}

@test "the failed command is not passed as an argument, which other users could see" {
  fake telemetry <<<'echo "$*|$FAILED_COMMAND|$FAILED_LINE" >"$SEEN"'
  export SEEN="$BATS_TEST_TMPDIR/seen" TELEMETRY_BIN="$BATS_TEST_TMPDIR/bin/telemetry"
  strict "DIAGNOSTICS=yes RANDOM_UUID=a FAILED_COMMAND='mysql -phunter2' FAILED_LINE=7; post_update_to_api failed 1"
  [ "$(<"$SEEN")" = "finish --status failed --exit-code 1|mysql -phunter2|7" ]
}

@test "json_escape escapes any bytes, with every awk" {
  for awk in mawk gawk; do
    command -v "$awk" >/dev/null || continue
    mkdir -p "$BATS_TEST_TMPDIR/bin"
    ln -sf "$(command -v "$awk")" "$BATS_TEST_TMPDIR/bin/awk"
    PATH="$BATS_TEST_TMPDIR/bin:$PATH" strict "json_escape \$'a\"b\\\\c\\td\\ne\\x01\\xff\\xc3\\xa4&'"
    [ "$output" = 'a\"b\\c\td\ne'$'\xc3\xa4''&' ]
  done
}

@test "the repository is detected from the script unless it is set" {
  strict 'echo "$REPO_SOURCE $REPO_SLUG"'
  [ "$output" = "ProxmoxVE community-scripts/ProxmoxVE" ]
  run bash -c "source '$API_FUNC'; echo \"\$REPO_SOURCE \$REPO_SLUG\" # https://raw.githubusercontent.com/me/fork/main/ct"
  [ "$output" = "external me/fork" ]
  REPO_SOURCE=ProxmoxVED strict 'echo "$REPO_SOURCE"'
  [ "$output" = "ProxmoxVED" ]
}

@test "get_error_text reads the first log that is not empty" {
  printf 'one\ntwo\n' >"$BATS_TEST_TMPDIR/build.log"
  : >"$BATS_TEST_TMPDIR/install.log"
  strict "INSTALL_LOG=$BATS_TEST_TMPDIR/install.log BUILD_LOG=$BATS_TEST_TMPDIR/build.log; get_error_text"
  [ "$output" = $'one\ntwo' ]
}

@test "the pause after no answer lasts a minute, even if a script sets SECONDS" {
  keep_reports
  fake curl <<<'{ cat; echo; } >>"$SENT"; exit 7'
  strict "post_to_api; SECONDS=100000; post_progress_to_api; SECONDS=0; post_progress_to_api"
  [ "$(wc -l <"$SENT")" -eq 1 ]
  : >"$SENT"
  # The clock was set back.
  strict "post_to_api; _TELEMETRY_PAUSE_UNTIL=\$((_TELEMETRY_PAUSE_UNTIL + 100)); post_progress_to_api"
  [ "$(wc -l <"$SENT")" -eq 2 ]
}

@test "only the telemetry folder is private, not its parents" {
  keep_reports
  (umask 022; strict "post_to_api")
  [ "$(stat -c %a "$TELEMETRY_ROOT/var/lib/community-scripts")" -eq 755 ]
  [ "$(stat -c %a "$TELEMETRY_ROOT/var/lib/community-scripts/telemetry")" -eq 700 ]
  [ "$(stat -c %a "$TELEMETRY_ROOT/var/lib/community-scripts/telemetry/runs")" -eq 600 ]
}

@test "a report keeps BASH_REMATCH, and consent does not depend on nocasematch or the locale" {
  keep_reports
  mkdir -p "$TELEMETRY_ROOT/usr/local/community-scripts"
  printf '# why\nDIAGNOSTICS=yes\n' >"$TELEMETRY_ROOT/usr/local/community-scripts/diagnostics"
  strict '[[ "abc 7" =~ ([0-9]+) ]]; post_progress_to_api; echo "${BASH_REMATCH[1]}"'
  [ "$output" = 7 ]
  fake curl <<<'{ cat; echo; } >>"$SENT"'
  : >"$SENT"
  printf 'DIAGNOSTICS=YES\n' >"$TELEMETRY_ROOT/usr/local/community-scripts/diagnostics"
  strict 'shopt -s nocasematch; post_to_api'
  printf 'DIAGNOSTICS=yes\nM="f\xfcr"; DIAGNOSTICS=no\n' >"$TELEMETRY_ROOT/usr/local/community-scripts/diagnostics"
  LC_ALL=C.UTF-8 strict 'post_to_api'
  [ ! -s "$SENT" ]
}
