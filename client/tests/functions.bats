#!/usr/bin/env bats
# The functions of api.func that need no server, in a shell as strict as the scripts'.

setup() {
  API_FUNC="$BATS_TEST_DIRNAME/../api.func"
  export TELEMETRY_BIN=none TELEMETRY_URL="http://127.0.0.1:1" TELEMETRY_ROOT="$BATS_TEST_TMPDIR"
  unset DIAGNOSTICS RANDOM_UUID EXECUTION_ID REPO_SOURCE REPO_SLUG INSTALL_LOG BUILD_LOG
}

# Runs a script that begins as install scripts do.
strict() {
  run bash -c "set -Eeuo pipefail; trap 'echo trapped; exit 99' ERR; source '$API_FUNC'; $1"
}

@test "to source it prints nothing, fails nothing and needs no variable" {
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

@test "every documented function is there" {
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

@test "a failing command before a report does not become the script's trap" {
  strict "DIAGNOSTICS=yes RANDOM_UUID=a-1; TELEMETRY_URL='http://['; post_update_to_api failed 1; echo end"
  [ "$output" = "end" ]
}

@test "the timer counts from its start" {
  strict "get_install_duration; start_install_timer; get_install_duration; INSTALL_START_TIME=x; get_install_duration
    INSTALL_START_TIME=\$((INSTALL_START_TIME_NOW=\$(date +%s), INSTALL_START_TIME_NOW - 90)); get_install_duration"
  [ "${lines[0]}" = "0" ]
  [ "${lines[2]}" = "0" ]
  [ "${lines[3]}" -ge 90 ]
}

@test "a new attempt has a new id and may report again" {
  strict "RANDOM_UUID=a EXECUTION_ID=a POST_TO_API_DONE=true POST_UPDATE_DONE=true; telemetry_new_attempt
    [[ \$EXECUTION_ID != a && \$RANDOM_UUID == a ]] && echo \$POST_TO_API_DONE \$POST_UPDATE_DONE"
  [ "$output" = "false false" ]
}

@test "the end of a tool keeps the script's status and its own trap" {
  run bash -c "source '$API_FUNC'; trap 'echo \"it'\\''s over \$?\"' EXIT; init_tool_telemetry microcode; exit 7"
  [ "$status" -eq 7 ]
  [ "$output" = "it's over 7" ]
  strict "init_tool_telemetry '' addon; exit 0"
  [ "$status" -eq 0 ]
  [ -z "$output" ]
}

@test "json_escape makes a string of anything, with every awk" {
  for awk in mawk gawk; do
    command -v "$awk" >/dev/null || continue
    mkdir -p "$BATS_TEST_TMPDIR/bin"
    ln -sf "$(command -v "$awk")" "$BATS_TEST_TMPDIR/bin/awk"
    PATH="$BATS_TEST_TMPDIR/bin:$PATH" strict "json_escape \$'a\"b\\\\c\\td\\ne\\x01\\xff\\xc3\\xa4&'"
    [ "$output" = 'a\"b\\c\td\ne'$'\xc3\xa4''&' ]
  done
}

@test "the source is told from the script, and what is set stays" {
  strict 'echo "$REPO_SOURCE $REPO_SLUG"'
  [ "$output" = "ProxmoxVE community-scripts/ProxmoxVE" ]
  run bash -c "source '$API_FUNC'; echo \"\$REPO_SOURCE \$REPO_SLUG\" # https://raw.githubusercontent.com/me/fork/main/ct"
  [ "$output" = "external me/fork" ]
  REPO_SOURCE=ProxmoxVED strict 'echo "$REPO_SOURCE"'
  [ "$output" = "ProxmoxVED" ]
}

@test "get_error_text finds the log that has something in it" {
  printf 'one\ntwo\n' >"$BATS_TEST_TMPDIR/build.log"
  : >"$BATS_TEST_TMPDIR/install.log"
  strict "INSTALL_LOG=$BATS_TEST_TMPDIR/install.log BUILD_LOG=$BATS_TEST_TMPDIR/build.log; get_error_text"
  [ "$output" = $'one\ntwo' ]
}
