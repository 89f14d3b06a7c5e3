//! The graphics device, read from sysfs and the list of PCI ids like `lspci` does.

use std::fs;

use crate::system::Host;

const DEVICES: &str = "/sys/bus/pci/devices";
const NAMES: [&str; 2] = ["/usr/share/misc/pci.ids", "/usr/share/hwdata/pci.ids"];
/// Prefix of the PCI class "display controller".
const DISPLAY: &str = "0x03";

/// Vendor (`intel`, `amd`, `nvidia`) and model of the first graphics device in bus order.
pub(super) fn first_device(host: &Host) -> (Option<String>, Option<String>) {
    let Ok(entries) = fs::read_dir(host.path(DEVICES)) else {
        return (None, None);
    };
    let mut slots: Vec<String> =
        entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    slots.sort();
    let read = |slot: &str, file: &str| host.read(&format!("{DEVICES}/{slot}/{file}"), 32);
    let Some(slot) = slots.iter().find(|slot| read(slot, "class").is_some_and(|c| c.starts_with(DISPLAY)))
    else {
        return (None, None);
    };
    let id = |file: &str| read(slot, file).map(|id| id.trim().trim_start_matches("0x").to_owned());
    let (Some(vendor), Some(device)) = (id("vendor"), id("device")) else {
        return (None, None);
    };
    let word = match vendor.as_str() {
        "8086" => Some("intel"),
        "1002" => Some("amd"),
        "10de" => Some("nvidia"),
        _ => None,
    };
    (word.map(str::to_owned), NAMES.iter().find_map(|list| name(host, list, &vendor, &device)))
}

/// Vendor and device name. In the list, a vendor starts a line and its devices follow, indented.
fn name(host: &Host, list: &str, vendor: &str, device: &str) -> Option<String> {
    let list = host.read(list, 8 * 1024 * 1024)?;
    let mut lines =
        list.lines().skip_while(|line| line.strip_prefix(vendor).is_none_or(|l| !l.starts_with(' ')));
    let vendor_name = lines.next()?.get(vendor.len()..)?.trim();
    let device_name = lines
        .take_while(|line| line.starts_with(['\t', '#']))
        .find_map(|line| line.strip_prefix('\t')?.strip_prefix(device)?.strip_prefix(' '));
    Some(device_name.map_or(vendor_name.to_owned(), |device| format!("{vendor_name} {}", device.trim())))
}
