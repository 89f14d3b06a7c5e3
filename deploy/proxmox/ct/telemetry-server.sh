#!/usr/bin/env bash
# shellcheck disable=SC1090,SC2034 # build.func is downloaded, and reads the variables.
source <(curl -fsSL https://raw.githubusercontent.com/community-scripts/ProxmoxVE/main/misc/build.func)
# Copyright (c) 2026 the telemetry-server authors
# License: MIT
# Source: https://github.com/community-scripts/telemetry-server

APP="Telemetry-Server"
var_tags="${var_tags:-monitoring}"
var_cpu="${var_cpu:-2}"
var_ram="${var_ram:-1024}"
var_disk="${var_disk:-8}"
var_os="${var_os:-debian}"
var_version="${var_version:-13}"
var_unprivileged="${var_unprivileged:-1}"

header_info "$APP"
variables
color
catch_errors

function update_script() {
  header_info
  check_container_storage
  check_container_resources

  if [[ ! -f /etc/telemetry-server/environment ]]; then
    msg_error "No ${APP} Installation Found!"
    exit
  fi

  if check_for_gh_release "telemetry-server" "community-scripts/telemetry-server"; then
    # The package restarts the service. Hosts send again what they could not send meanwhile.
    fetch_and_deploy_gh_release "telemetry-server" "community-scripts/telemetry-server" "binary" "latest" "/tmp" \
      "telemetry-server_*_$(dpkg --print-architecture).deb"

    msg_info "Checking Service"
    $STD telemetry-server healthcheck
    msg_ok "Checked Service"
    msg_ok "Updated successfully!"
  fi
  exit
}

start
build_container
description

msg_ok "Completed successfully!\n"
echo -e "${CREATING}${GN}${APP} setup has been successfully initialized!${CL}"
echo -e "${INFO}${YW} Access it using the following URL:${CL}"
echo -e "${TAB}${GATEWAY}${BGN}http://${IP}:8080${CL}"
