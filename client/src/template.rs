//! Whether a container was created from an OCI image, and whether it has a custom entry point or a
//! network managed by the host, as such containers often do.
//!
//! Like Proxmox VE, this recognises an OCI image by the content of its `.tar` archive. The rest comes from
//! the container's configuration.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use crate::system::Host;

/// Facts about the template of a container; `None` for unknown ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Template {
    /// `tarball` or `oci`.
    pub kind: Option<&'static str>,
    /// Whether the container starts something other than an init system.
    pub custom_entrypoint: Option<bool>,
    /// Whether the host configures the container's network.
    pub host_managed_network: Option<bool>,
}

/// Reads `TEMPLATE_KIND`, the template (`TEMPLATE_PATH`, `TEMPLATE`) and the configuration of `CTID`.
#[must_use]
pub fn read(host: &Host) -> Template {
    let configuration = host
        .variable("CTID")
        .filter(|id| id.bytes().all(|byte| byte.is_ascii_digit()))
        .and_then(|id| host.read(&format!("/etc/pve/lxc/{id}.conf"), 64 * 1024));
    let mut template = configuration.as_deref().map(parse_configuration).unwrap_or_default();
    let declared = match host.variable("TEMPLATE_KIND") {
        Some("oci") => Some("oci"),
        Some("tarball") => Some("tarball"),
        _ => None,
    };
    template.kind = declared.or_else(|| kind_of_archive(host)).or(template.kind);
    template
}

fn kind_of_archive(host: &Host) -> Option<&'static str> {
    let path = host.variable("TEMPLATE_PATH");
    let name = path.or_else(|| host.variable("TEMPLATE"))?;
    let compressed = [".tar.gz", ".tar.xz", ".tar.zst", ".tar.bz2", ".tgz"];
    if compressed.iter().any(|suffix| name.ends_with(suffix)) {
        return Some("tarball");
    }
    let archive = host.path(path.filter(|path| path.ends_with(".tar"))?);
    Some(if is_oci(&archive)? { "oci" } else { "tarball" })
}

/// Whether the archive has a top-level file `oci-layout`. `None` if it cannot be read.
fn is_oci(path: &Path) -> Option<bool> {
    // An image has few entries; a root file system has far more.
    const MAX_ENTRIES: usize = 512;
    const BLOCK: u64 = 512;
    if !fs::metadata(path).ok()?.is_file() {
        return None;
    }
    let mut file = File::open(path).ok()?;
    let mut header = [0_u8; BLOCK as usize];
    for _ in 0..MAX_ENTRIES {
        if file.read_exact(&mut header).is_err() || header[0] == 0 {
            break;
        }
        let name = header[..100].split(|byte| *byte == 0).next().unwrap_or_default();
        if name.strip_prefix(b"./").unwrap_or(name) == b"oci-layout" {
            return Some(true);
        }
        let size = std::str::from_utf8(&header[124..136]).ok()?.trim_matches(['\0', ' ']);
        let size = u64::from_str_radix(size, 8).ok()?;
        file.seek(SeekFrom::Current(i64::try_from(size.div_ceil(BLOCK) * BLOCK).ok()?)).ok()?;
    }
    Some(false)
}

/// Parses `/etc/pve/lxc/<ctid>.conf` up to its first section, which describes a snapshot.
fn parse_configuration(configuration: &str) -> Template {
    let mut entrypoint = None;
    let mut host_managed = false;
    let mut environment = false;
    for line in configuration.lines().take_while(|line| !line.starts_with('[')) {
        let Some((name, value)) = line.split_once(':') else { continue };
        let (name, value) = (name.trim(), value.trim());
        if name == "entrypoint" {
            entrypoint = Some(value);
        } else if name.starts_with("net") {
            host_managed |= value.split(',').any(|part| matches!(part, "host-managed=1" | "ipmanagehost=1"));
        } else if name == "ipmanagehost" {
            host_managed |= value == "1";
        } else if name.starts_with("lxc.environment") {
            environment = true;
        }
    }
    let custom = entrypoint.is_some_and(|command| !matches!(command, "" | "/sbin/init" | "/init"));
    Template {
        kind: (custom || environment).then_some("oci"),
        custom_entrypoint: Some(custom),
        host_managed_network: Some(host_managed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An archive with these entries: name and size in bytes.
    fn tar(entries: &[(&str, usize)]) -> Vec<u8> {
        let mut archive = Vec::new();
        for (name, size) in entries {
            let mut header = [0_u8; 512];
            header[..name.len()].copy_from_slice(name.as_bytes());
            header[124..135].copy_from_slice(format!("{size:011o}").as_bytes());
            archive.extend(header);
            archive.extend(vec![b'x'; size.div_ceil(512) * 512]);
        }
        archive.extend([0; 1024]);
        archive
    }

    fn kind(file: &str, content: &[u8]) -> Option<&'static str> {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join(file), content).unwrap();
        read(&Host::new(root.path(), &[("TEMPLATE_PATH", &format!("/{file}"))])).kind
    }

    fn of(configuration: &str) -> Template {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("etc/pve/lxc")).unwrap();
        fs::write(root.path().join("etc/pve/lxc/200.conf"), configuration).unwrap();
        read(&Host::new(root.path(), &[("CTID", "200")]))
    }

    #[test]
    fn an_archive_is_recognised_by_its_content() {
        let image = tar(&[("blobs/", 0), ("blobs/sha256/abc", 700), ("index.json", 10), ("oci-layout", 30)]);
        assert_eq!(kind("nginx_latest.tar", &image), Some("oci"));
        assert_eq!(
            kind("rootfs.tar", &tar(&[("./", 0), ("./etc/", 0), ("./etc/passwd", 99)])),
            Some("tarball")
        );
        assert_eq!(kind("debian-12-standard_amd64.tar.zst", b""), Some("tarball"));
        assert_eq!(kind("nginx_latest.tar", &image[..600]), Some("tarball"), "truncated before oci-layout");
        assert_eq!(kind("something.qcow2", b""), None);
    }

    #[test]
    fn a_container_from_an_image_is_recognised_by_its_configuration() {
        let template =
            of("arch: amd64\nentrypoint: /docker-entrypoint.sh nginx\nlxc.environment.runtime: A=b\n\
                           net0: name=eth0,bridge=vmbr0,host-managed=1,ip=dhcp\nostype: chainguard\n");
        assert_eq!(template.kind, Some("oci"));
        assert_eq!((template.custom_entrypoint, template.host_managed_network), (Some(true), Some(true)));
    }

    #[test]
    fn the_configuration_of_an_ordinary_container_gives_no_template_kind() {
        let template = of("arch: amd64\nnet0: name=eth0,ip=dhcp\n[snapshot]\nentrypoint: /x\n");
        assert_eq!(
            template,
            Template { kind: None, custom_entrypoint: Some(false), host_managed_network: Some(false) }
        );
    }

    #[test]
    fn without_a_container_nothing_is_known() {
        let root = tempfile::tempdir().unwrap();
        for variables in [&[][..], &[("CTID", "../200")], &[("CTID", "200")], &[("TEMPLATE_KIND", "zip")]] {
            assert_eq!(read(&Host::new(root.path(), variables)), Template::default());
        }
        assert_eq!(read(&Host::new(root.path(), &[("TEMPLATE_KIND", "oci")])).kind, Some("oci"));
    }
}
