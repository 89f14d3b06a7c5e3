#!/usr/bin/env bash

# Copyright (c) 2026 the telemetry-server authors
# License: MIT
# Source: https://github.com/community-scripts/telemetry-server

# shellcheck disable=SC1091 # The framework passes its functions in a variable.
source /dev/stdin <<<"$FUNCTIONS_FILE_PATH"
color
verb_ip6
catch_errors
setting_up_container
network_check
update_os

# The package brings PostgreSQL, of which the server runs a private cluster.
fetch_and_deploy_gh_release "telemetry-server" "community-scripts/telemetry-server" "binary" "latest" "/tmp" \
  "telemetry-server_*_$(dpkg --print-architecture).deb"

msg_info "Configuring Telemetry-Server"
{
  echo "LISTEN_ADDR=0.0.0.0:8080"
  echo "ADMIN_TOKEN=$(od -An -N32 -tx1 /dev/urandom | tr -d ' \n')"
} >>/etc/telemetry-server/environment
systemctl enable -q telemetry-server
systemctl restart telemetry-server
msg_ok "Configured Telemetry-Server"

motd_ssh
customize
cleanup_lxc
