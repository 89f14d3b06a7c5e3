//! Tests with temporary folders as hosts.

use std::fs;
use std::path::Path;

use super::*;

fn write(root: &Path, path: &str, content: impl AsRef<[u8]>) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

/// A table with an empty structure, and a memory module configured to 4800 MT/s with a maximum of 5600.
fn smbios() -> Vec<u8> {
    let mut device = vec![0_u8; 0x22];
    device[0] = 17;
    device[1] = 0x22;
    device[0x15..0x17].copy_from_slice(&5600_u16.to_le_bytes());
    device[0x20..0x22].copy_from_slice(&4800_u16.to_le_bytes());
    let mut table = vec![0, 4, 0, 0, b'B', b'I', b'O', b'S', 0, 0];
    table.extend(device);
    table.extend(b"DIMM 0\0\0");
    table
}

fn typical_host() -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    let at = root.path();
    write(
        at,
        "proc/cpuinfo",
        "processor\t: 0\nvendor_id\t: GenuineIntel\nmodel name\t: Intel(R) Core(TM)  i5-12400\n",
    );
    write(at, "proc/sys/kernel/osrelease", "6.8.12-10-pve\n");
    write(at, "proc/sys/kernel/random/boot_id", "boot-1\n");
    write(
        at,
        "var/lib/dpkg/status",
        "Package: bash\nVersion: 5.2\n\nPackage: pve-manager\nStatus: ok\nVersion: 8.4.1\n\nPackage: z\n",
    );
    write(at, "etc/pve/.version", "");
    write(at, "sys/bus/pci/devices/0000:00:00.0/class", "0x060000\n");
    write(at, "sys/bus/pci/devices/0000:00:02.0/class", "0x030000\n");
    write(at, "sys/bus/pci/devices/0000:00:02.0/vendor", "0x8086\n");
    write(at, "sys/bus/pci/devices/0000:00:02.0/device", "0x4692\n");
    let names =
        "# list\n1002  AMD\n\t4692  Wrong\n8086  Intel Corporation\n\t0001  Other\n\t4692  AlderLake-S GT1\n";
    write(at, "usr/share/misc/pci.ids", names);
    write(at, "sys/firmware/dmi/tables/DMI", smbios());
    root
}

#[test]
fn a_typical_host_is_read_from_its_files() {
    let root = typical_host();
    let facts = load(&Host::new(root.path(), &[]), None);
    let text = |text: &str| Some(text.to_owned());
    let expected = Facts {
        pve_version: text("8.4.1"),
        platform: text("pve"),
        cpu_vendor: text("intel"),
        cpu_model: text("Intel Core i5-12400"),
        gpu_vendor: text("intel"),
        gpu_model: text("Intel Corporation AlderLake-S GT1"),
        ram_speed: Some(4800),
        arch: text(arch()),
        kernel_version: text("6.8.12-10-pve"),
    };
    assert_eq!(facts, expected);
}

#[test]
fn a_host_without_proc_and_sys_gives_no_error() {
    let root = tempfile::tempdir().unwrap();
    let facts = load(&Host::new(root.path(), &[]), None);
    assert_eq!(facts, Facts { arch: Some(arch().to_owned()), ..Facts::default() });
}

#[test]
fn facts_are_collected_once_per_boot_and_package_state() {
    let root = typical_host();
    let host = Host::new(root.path(), &[]);
    let cache = root.path().join("facts.json");
    assert_eq!(load(&host, Some(&cache)).kernel_version.as_deref(), Some("6.8.12-10-pve"));
    write(root.path(), "proc/sys/kernel/osrelease", "7.0\n");
    assert_eq!(load(&host, Some(&cache)).kernel_version.as_deref(), Some("6.8.12-10-pve"));
    write(root.path(), "proc/sys/kernel/random/boot_id", "boot-2\n");
    assert_eq!(load(&host, Some(&cache)).kernel_version.as_deref(), Some("7.0"));
}

#[test]
fn a_broken_cache_is_replaced() {
    let root = typical_host();
    let cache = root.path().join("facts.json");
    fs::write(&cache, "{\"valid_for\":").unwrap();
    assert_eq!(load(&Host::new(root.path(), &[]), Some(&cache)).platform.as_deref(), Some("pve"));
    assert!(fs::read_to_string(&cache).unwrap().contains("8.4.1"));
}

#[test]
fn variables_exported_by_a_script_take_precedence() {
    let root = typical_host();
    let variables = [("CPU_MODEL", "Xeon \"X\""), ("RAM_SPEED", "0"), ("GPU_VENDOR", "unknown")];
    let facts = load(&Host::new(root.path(), &variables), None);
    assert_eq!(facts.cpu_model.as_deref(), Some("Xeon \"X\""));
    assert_eq!(facts.ram_speed, Some(4800), "0 means unknown");
    assert_eq!(facts.gpu_vendor.as_deref(), Some("intel"), "`unknown` is ignored");
}

#[test]
fn an_arm_cpu_is_recognised_without_a_vendor_line() {
    assert_eq!(cpu_vendor("processor : 0\nCPU implementer : 0x41\n"), Some("arm"));
    assert_eq!(cpu_vendor("vendor_id : Other\n"), None);
    assert_eq!(cpu_vendor(""), None);
}

#[test]
fn a_truncated_firmware_table_causes_no_panic() {
    let table = smbios();
    for length in 0..table.len() {
        let root = tempfile::tempdir().unwrap();
        write(root.path(), "sys/firmware/dmi/tables/DMI", &table[..length]);
        let speed = memory::speed(&Host::new(root.path(), &[]));
        assert!(matches!(speed, None | Some(4800)), "{length}: {speed:?}");
    }
}
