//! The speed of the RAM, read from the firmware's SMBIOS table like `dmidecode` does.

use crate::system::Host;

const TABLE: &str = "/sys/firmware/dmi/tables/DMI";
/// Type of the structure "Memory Device" (DMTF DSP0134, 7.18), and the offsets of its two speeds.
const MEMORY_DEVICE: u8 = 17;
const SPEED: usize = 0x15;
const CONFIGURED_SPEED: usize = 0x20;

/// Configured speed of the first module that reports one, in MT/s, or else its maximum speed. `None` if
/// the table is not readable: in a container, or without root.
pub(super) fn speed(host: &Host) -> Option<u32> {
    let table = host.read_bytes(TABLE, 64 * 1024)?;
    let devices: Vec<&[u8]> = structures(&table).filter(|structure| structure[0] == MEMORY_DEVICE).collect();
    [CONFIGURED_SPEED, SPEED].into_iter().find_map(|offset| devices.iter().find_map(|d| word(d, offset)))
}

/// A 16-bit number; 0 and 0xFFFF mean unknown.
fn word(structure: &[u8], offset: usize) -> Option<u32> {
    let bytes = structure.get(offset..offset + 2)?;
    let value = u16::from_le_bytes([bytes[0], bytes[1]]);
    (value != 0 && value != u16::MAX).then_some(u32::from(value))
}

/// The formatted part of each structure: type, length, handle, fields. Strings follow it, and two zero
/// bytes end the structure.
fn structures(table: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = table;
    std::iter::from_fn(move || {
        let length = usize::from(*rest.get(1)?);
        if length < 4 {
            return None;
        }
        let (structure, strings) = rest.split_at_checked(length)?;
        let end = strings.windows(2).position(|pair| pair == [0, 0])?;
        rest = &strings[end + 2..];
        Some(structure)
    })
}
