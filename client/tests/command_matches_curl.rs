//! Both transports report the same: equal fields for the same host, and equal signatures for the same log.
#![allow(clippy::unwrap_used)]

mod support;

use std::collections::BTreeMap;

use serde_json::Value;
use support::scripts::{Transport, curl_transports, run, transports};
use support::{Host, Listener, Mode, events, recorded};
use telemetry_protocol::reason::{Failure, signature};
use telemetry_protocol::scrub::{scrub, scrub_tail};

/// A Proxmox VE host. The command reads facts from its files, the drop-in from its tools.
fn typical_host(url: &str) -> Host {
    let host = Host::new(url);
    for (path, content) in [
        ("proc/cpuinfo", "vendor_id\t: GenuineIntel\nmodel name\t: Intel(R) Core(TM)  i5-12400 @ 2.5GHz\n"),
        ("proc/sys/kernel/osrelease", "6.8.12-10-pve\n"),
        ("proc/sys/kernel/random/boot_id", "boot-1\n"),
        ("var/lib/dpkg/status", "Package: bash\nVersion: 5.2\n\nPackage: pve-manager\nVersion: 8.4.1\n\n"),
        ("etc/pve/.version", ""),
        ("etc/os-release", "NAME=x\nID=alpine\nVERSION_ID=\"3.21.3\"\n"),
        ("sys/bus/pci/devices/0000:00:02.0/class", "0x030000\n"),
        ("sys/bus/pci/devices/0000:00:02.0/vendor", "0x8086\n"),
        ("sys/bus/pci/devices/0000:00:02.0/device", "0x4692\n"),
        ("usr/share/misc/pci.ids", "8086  Intel Corporation\n\t4692  AlderLake-S GT1\n"),
        (
            "usr/local/community-scripts/default.vars",
            "# all\nexport var_ram='4096'\nvar_cpu=3 # three\nvar_pw=x\n",
        ),
        ("usr/local/community-scripts/defaults/immich.vars", "var_cpu=6\nvar_disk=\"20\"\nvar_os=ubuntu\n"),
        ("etc/pve/lxc/200.conf", "entrypoint: /run nginx\nnet0: name=eth0,host-managed=1\n[old]\nnet1: x\n"),
        ("etc/pve/lxc/201.conf", "arch: amd64\nnet0: name=eth0,ip=dhcp\n[old]\nentrypoint: /x\n"),
        ("image.tar.zst", "packed"),
    ] {
        host.write(path, content);
    }
    host.write("sys/firmware/dmi/tables/DMI", memory_module(4800));
    host.write("image.tar", archive(&["blobs/", "index.json", "oci-layout"]));
    host.write("rootfs.tar", archive(&["./", "./etc/"]));
    tool(
        &host,
        "lspci",
        "00:00.0 Host bridge: x\n00:02.0 VGA compatible controller: Intel Corporation AlderLake-S GT1 (rev 0c)",
    );
    tool(&host, "dmidecode", "\tSpeed: 5600 MT/s\n\tConfigured Memory Speed: 4800 MT/s");
    host
}

/// Puts a program on `PATH` that prints `output`.
fn tool(host: &Host, name: &str, output: &str) {
    host.write_executable(&format!("bin/{name}"), &format!("#!/bin/sh\ncat <<'EOF'\n{output}\nEOF\n"));
}

/// An SMBIOS table with one memory module of this speed.
fn memory_module(speed: u16) -> Vec<u8> {
    let mut table = vec![0_u8; 0x22];
    (table[0], table[1]) = (17, 0x22);
    table[0x20..0x22].copy_from_slice(&speed.to_le_bytes());
    table.extend(b"DIMM 0\0\0");
    table
}

/// An archive of empty files.
fn archive(names: &[&str]) -> Vec<u8> {
    let mut archive = Vec::new();
    for name in names {
        let mut header = [0_u8; 512];
        header[..name.len()].copy_from_slice(name.as_bytes());
        header[100..107].copy_from_slice(b"0000644");
        header[124..135].copy_from_slice(b"00000000000");
        header[156] = if name.ends_with('/') { b'5' } else { b'0' };
        header[257..263].copy_from_slice(b"ustar\0");
        header[148..156].fill(b' ');
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
        header[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
        archive.extend(header);
    }
    archive.extend([0; 1024]);
    archive
}

/// The events that arrive, without the fields that differ between any two reports.
fn reported(transport: Transport, variables: &[(&str, &str)], script: &str) -> Vec<BTreeMap<String, Value>> {
    let server = Listener::start(Mode::Up);
    let host = typical_host(&server.url()).with(variables);
    run(&host, transport, &script.replace("ROOT", &host.root.path().display().to_string()));
    let events = events(&server).into_iter().map(|event| {
        let mut event: BTreeMap<String, Value> = serde_json::from_value(event).unwrap();
        if event["type"] == "pve" || event["type"] == "addon" {
            event.retain(|name, _| !name.ends_with("_id"));
        }
        if event.contains_key("install_duration") {
            event.insert("install_duration".to_owned(), Value::Bool(true));
        }
        event
    });
    events.collect()
}

const NO_SETTINGS: [(&str, &str); 7] = [
    ("CT_TYPE", ""),
    ("DISK_SIZE", ""),
    ("CORE_COUNT", ""),
    ("RAM_SIZE", " "),
    ("var_os", ""),
    ("var_version", ""),
    ("METHOD", ""),
];

/// Name of the case, variables in addition to those of build.func, and the script.
type Case<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a str);

#[test]
fn both_transports_report_the_same_fields() {
    let whole =
        "start_install_timer; post_to_api; post_progress_to_api validation; post_update_to_api failed 100";
    let cases: &[Case<'_>] = &[
        ("variables of build.func", &[], whole),
        (
            "files of the application and defaults",
            &[NO_SETTINGS.as_slice(), &[("NSAPP", "immich")]].concat(),
            whole,
        ),
        ("default file and built-in defaults", &NO_SETTINGS, whole),
        (
            "environment before files",
            &[&NO_SETTINGS[..5], &[("NSAPP", "immich"), ("var_cpu", "9")]].concat(),
            whole,
        ),
        (
            "application name that is not a file name",
            &[&NO_SETTINGS[..5], &[("NSAPP", "../default")]].concat(),
            whole,
        ),
        (
            "invalid sizes",
            &[("DISK_SIZE", "32G"), ("CORE_COUNT", "4.5"), ("RAM_SIZE", "-1"), ("CT_TYPE", "x")],
            whole,
        ),
        (
            "sizes with units",
            &[("DISK_SIZE", " 8 GB "), ("CORE_COUNT", "12abcd"), ("RAM_SIZE", "99999999999")],
            whole,
        ),
        ("versions", &[("var_version", "10.0.0.1"), ("APP_VERSION", "v1.22.333.4")], whole),
        (
            "virtual machine",
            &[("VM_CORES", "4"), ("VM_OS", "haos"), ("VM_APP", "haos-vm"), ("RAM_SIZE", "")],
            "post_to_api_vm; post_update_to_api aborted 130",
        ),
        ("virtual machine without settings", &NO_SETTINGS, "post_to_api_vm; post_update_to_api done 0"),
        ("turnkey", &[("TELEMETRY_TYPE", "turnkey")], whole),
        ("OCI image", &[("TEMPLATE_PATH", "/image.tar"), ("CTID", "200")], whole),
        ("OCI image recognised by its container", &[("CTID", "200")], whole),
        ("archive that is not an OCI image", &[("TEMPLATE_PATH", "/rootfs.tar"), ("CTID", "201")], whole),
        ("compressed archive", &[("TEMPLATE", "local:vztmpl/debian.tar.zst")], whole),
        (
            "mirror",
            &[
                ("COMMUNITY_SCRIPTS_CT_BASE", "https://git.acme.internal/ct"),
                ("COMMUNITY_SCRIPTS_REF", "v2026.04"),
            ],
            whole,
        ),
        ("branch", &[("COMMUNITY_SCRIPTS_REF", "alice-test")], whole),
        (
            "facts exported by the script",
            &[
                ("CPU_MODEL", "Xeon"),
                ("RAM_SPEED", "0"),
                ("GPU_VENDOR", "unknown"),
                ("GPU_PASSTHROUGH", "yes"),
                ("HAS_ARM", "no"),
            ],
            whole,
        ),
        (
            "lost exit code",
            &[("FAILED_COMMAND", "apt --password=hunter2"), ("FAILED_LINE", "7")],
            "post_update_to_api failed 0; post_update_to_api x y force",
        ),
        ("end by a signal", &[("INSTALL_START_TIME", "x")], "post_update_to_api failed 143"),
        (
            "number with an exponent",
            &[("RAM_SIZE", "1e3"), ("DISK_SIZE", "+5"), ("CORE_COUNT", ".6e1x")],
            whole,
        ),
        ("exit code with leading zeros", &[], "post_update_to_api failed 007"),
        ("interrupt with a leading zero", &[], "post_update_to_api failed 0130"),
        ("qemu as the type of guest", &[("TELEMETRY_TYPE", "qemu")], whole),
        ("invalid type of guest", &[("TELEMETRY_TYPE", "addon")], whole),
        (
            "status words",
            &[],
            "for word in done failed x INSTALLING Validation ''; do post_progress_to_api \"$word\"; done
             post_update_to_api DONE 7; post_update_to_api ' Failed ' 7 force",
        ),
        (
            "tools",
            &[],
            "post_tool_to_api microcode failed 3; post_addon_to_api netdata; FAILED_LINE=0; post_addon_to_api x aborted 129",
        ),
    ];
    for (what, variables, script) in cases {
        let expected = reported(Transport::Command, variables, script);
        assert!(!expected.is_empty());
        for transport in curl_transports() {
            assert_eq!(reported(transport, variables, script), expected, "{what}, {transport:?}");
        }
    }
}

#[test]
fn settings_have_the_precedence_of_build_func() {
    let variables = [&NO_SETTINGS[..5], &[("NSAPP", "immich"), ("CORE_COUNT", "9")]].concat();
    for transport in transports() {
        let event = &reported(transport, &variables, "post_to_api")[0];
        let read = ["core_count", "disk_size", "os_type", "ram_size", "ct_type"]
            .map(|field| event[field].to_string());
        assert_eq!(read, ["9", "20", "\"ubuntu\"", "4096", "1"], "{transport:?}");
        assert!(
            !event.values().any(|value| value == "x"),
            "{transport:?}: other variables of the files are not sent"
        );
    }
}

/// The template that the server derives from an event, after scrubbing it again.
fn template(event: &Value) -> Option<String> {
    let error = event["error"].as_str().map(|error| scrub_tail(error, 16 * 1024));
    let command = event["failed_command"].as_str().map(scrub);
    let failure = Failure {
        error: error.as_deref().unwrap_or_default(),
        failed_command: command.as_deref(),
        ..Failure::default()
    };
    signature(&failure).map(|signature| signature.template)
}

/// The template of a failure that is reported with this log and command.
fn template_of(transport: Transport, log: &str, command: &str) -> Option<String> {
    let server = Listener::start(Mode::Up);
    let host = Host::new(&server.url()).with(&[("FAILED_COMMAND", command)]);
    let log = host.write("tmp/install.log", log);
    run(&host, transport, &format!("BUILD_LOG={}; post_update_to_api failed 1", log.display()));
    template(&events(&server)[0])
}

#[test]
fn the_same_failure_has_the_same_signature_with_both_transports() {
    let mut different = Vec::new();
    let failures = recorded_failures();
    assert!(failures.len() >= 10, "{} recorded failures", failures.len());
    let typical = TYPICAL.iter().map(|(log, command)| ((*log).to_owned(), (*command).to_owned()));
    for (log, command) in typical.chain(failures) {
        let expected = template_of(Transport::Command, &log, &command);
        for transport in curl_transports() {
            let seen = template_of(transport, &log, &command);
            if seen != expected {
                different.push(format!("{transport:?}\n  {expected:?}\n  {seen:?}"));
            }
        }
    }
    assert!(different.is_empty(), "{} differ:\n{}", different.len(), different.join("\n"));
}

/// The distinct error texts and failed commands of recorded clients.
fn recorded_failures() -> Vec<(String, String)> {
    let mut texts = Vec::new();
    for request in recorded::requests(&recorded::fixtures()) {
        let Ok(body) = serde_json::from_slice::<Value>(&recorded::body(&request)) else { continue };
        let Some(error) = body["error"].as_str().filter(|error| error.len() > 20) else { continue };
        let failure = (error.to_owned(), body["failed_command"].as_str().unwrap_or_default().to_owned());
        if !texts.contains(&failure) {
            texts.push(failure);
        }
    }
    texts
}

const TYPICAL: &[(&str, &str)] = &[
    (
        "Get:1 http://deb.debian.org/debian bookworm InRelease\nE: Unable to locate package libfoo-16-dev",
        "apt-get install -y libfoo-16-dev",
    ),
    (
        "E: Failed to fetch http://user:pw@192.168.178.2:3142/debian/pool/main/c/curl/curl_7.88.1-10+deb12u12_amd64.deb  503  Connection failed [IP: 192.168.178.2 3142]\nE: Sub-process /usr/bin/dpkg returned an error code (1)",
        "$STD apt-get -y upgrade",
    ),
    (
        "curl: (6) Could not resolve host: pve-node7.home.lan",
        "curl -fsSL https://pve-node7.home.lan/x?token=abcdef -o /tmp/tmp.Xa8Bc9dE",
    ),
    (
        "fatal: unable to access 'https://user:s3cr3tpw@git.example.org/repo.git/?token=abcdef#x': The requested URL returned error: 403",
        "git clone https://alice@git.example.org/repo.git",
    ),
    (
        "npm error code ERESOLVE\nnpm error Could not resolve dependency: peer react@\"^17.0.0\" from react-foo@2.1.3\nnpm error A complete log of this run can be found in: /root/.npm/_logs/2026-04-01T12_34_56_789Z-debug-0.log",
        "npm ci --omit=dev",
    ),
    (
        "Traceback (most recent call last):\n  File \"/home/alice/app/venv/lib/python3.11/site-packages/x.py\", line 42, in <module>\nModuleNotFoundError: No module named 'pkg_resources'",
        "uv pip install -r requirements.txt",
    ),
    (
        "psql: error: connection to server at \"10.20.30.40\", port 5432 failed: FATAL:  password authentication failed for user \"immich\"",
        "psql -h 10.20.30.40 -U immich -c 'CREATE EXTENSION vectors'",
    ),
    (
        "psql: error: connection to server at \"2001:db8::1\" (fe80::1%eth0), port 5432 failed: Connection refused",
        "PGPASSWORD=hunter2 psql",
    ),
    (
        "mysql: [Warning] Using a password on the command line interface can be insecure.\nERROR 1045 (28000): Access denied for user 'app'@'localhost' (using password: YES)",
        "mysql -u root --password=hunter2 -h db.home.lan app",
    ),
    (
        "Job for nginx.service failed because the control process exited with error code.\nSee \"systemctl status nginx.service\" for details.\nApr 01 12:34:56 pve-node7 nginx[1234]: nginx: [emerg] bind() to 0.0.0.0:80 failed (98: Address already in use)",
        "systemctl enable -q --now nginx",
    ),
    (
        "error: failed to download file: Authorization: Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl rejected",
        "wget --header='Authorization: Bearer abcdef' https://api.example.org/v1/x",
    ),
    (
        "gpg: error reading key 0xDEADBEEF12345678: No such key 3AA5C34371567BD2E4F6A8B9C0D1E2F3A4B5C6D7",
        "gpg --recv-keys 3AA5C34371567BD2E4F6A8B9C0D1E2F3A4B5C6D7",
    ),
    (
        "cp: cannot stat '/home/alice/.config/x/550e8400-e29b-41d4-a716-446655440000/y.conf': No such file or directory",
        "cp -r /home/alice/.config/x /opt",
    ),
    (
        "sha256sum mismatch: expected e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855 got 0000",
        "sha256sum -c",
    ),
    (
        "tar: node-v22.11.0-linux-x64/lib/node_modules/npm: Cannot mkdir: No space left on device",
        "tar -xf /tmp/tmp.AbCdEf12.tar.gz -C /opt",
    ),
    (
        "\x1b[31m[ERROR]\x1b[0m in line \x1b[33m42\x1b[0m: exit code 100: while executing command $STD apt-get install -y postgresql-16-pgvector\n",
        "",
    ),
    (
        "warning: x\n\x1b[1;31merror[E0432]\x1b[0m: unresolved import `foo::bar`\nerror: could not compile `thing` (lib) due to 1 previous error",
        "cargo build --release",
    ),
    (
        "  45%\r 99%\rFATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory\n",
        "npm run build",
    ),
    ("Killed", "pnpm build"),
    (
        "Error response from daemon: Head \"https://registry.example.org/v2/library/redis/manifests/7\": received unexpected HTTP status: 502 Bad Gateway",
        "docker compose up -d",
    ),
    (
        "ether bc:24:11:3c:9a:01 unknown: error on device eth0 from alice.mueller@example-mail.de",
        "ip link set eth0 address bc:24:11:3c:9a:01",
    ),
    (
        "fatal: could not read key\n-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQ\n-----END OPENSSH PRIVATE KEY-----\nLoad key failed: invalid format",
        "ssh -i /root/.ssh/id_ed25519 root@10.0.0.7",
    ),
    ("error: GITHUB_TOKEN=ghp_16C7e42F292c6912E7710c838347Ae178B4a is expired", "gh release download"),
    (
        "x265 linux-headers-6.8.12-10-pve : Depends: linux-kbuild-6.8.12 but it is not going to be installed\nE: Unable to correct problems, you have held broken packages.",
        "apt-get install -y linux-headers-6.8.12-10-pve",
    ),
    (
        "java.lang.NoClassDefFoundError: org/springframework/boot/autoconfigure/AutoConfigurationImportSelector",
        "java -jar app.jar",
    ),
    ("", "composer install --no-dev"),
    (
        "error: password: incorrect for $USER\nerror: api_key=${API_KEY} missing",
        "PASSWORD=$DB_PASS ./setup.sh",
    ),
    (
        "E: Unable to locate package postgresql-16-pgvector-dbgsym-arm64v8",
        "apt-get install postgresql-16-pgvector-dbgsym-arm64v8",
    ),
    (
        "error: target x86_64-unknown-linux-musl-1a2b not found in /usr/lib/rustlib/x86_64-unknown-linux-musl/lib",
        "rustup target add x86_64-unknown-linux-musl",
    ),
    (
        "fatal: reference is not a tree: 0c4352671388e3959367f562cdbe0f67686421e5",
        "git checkout 0c4352671388e3959367f562cdbe0f67686421e5",
    ),
    ("error: secret key wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY was refused", "aws configure"),
    ("error: Invalid token dGhpc2lzYXNlY3JldHRva2VuMTIzNDU2Nzg5 for session", "vault login"),
];
