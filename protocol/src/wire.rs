//! The body of an event as it stands on the wire, before anything is made of it.
//!
//! All generations together use the fields of [`RawEvent`]. Every one of them is optional and of
//! any scalar type: clients send sizes as text, numbers as strings, and leave out what they do
//! not know. What a field means is decided later.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// A value of a field: whatever came, reduced to what a field of ours can be made of.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Scalar<'a> {
    /// `null`, an empty value, or an array or object where a scalar belongs.
    #[default]
    Absent,
    /// `true` or `false`.
    Bool(bool),
    /// An integer that fits 64 bits.
    Integer(i64),
    /// Any other number.
    Float(f64),
    /// A string, unescaped.
    Text(Cow<'a, str>),
}

impl<'a> Scalar<'a> {
    /// Text without surrounding white space; numbers and booleans are written out. `None` when
    /// nothing is left.
    #[must_use]
    pub fn into_text(self) -> Option<Cow<'a, str>> {
        let text = match self {
            Self::Absent => return None,
            Self::Bool(value) => Cow::Borrowed(if value { "true" } else { "false" }),
            Self::Integer(value) => Cow::Owned(value.to_string()),
            Self::Float(value) => Cow::Owned(value.to_string()),
            Self::Text(Cow::Borrowed(text)) => Cow::Borrowed(text.trim()),
            Self::Text(Cow::Owned(text)) if text.trim().len() == text.len() => Cow::Owned(text),
            Self::Text(Cow::Owned(text)) => Cow::Owned(text.trim().to_owned()),
        };
        (!text.is_empty()).then_some(text)
    }

    /// A whole number: fractions are rounded, a unit behind the number (`32G`) is dropped.
    /// `None` for anything that is not a number or does not fit 32 bits.
    #[must_use]
    pub fn to_integer(&self) -> Option<i32> {
        match self {
            Self::Integer(value) => i32::try_from(*value).ok(),
            Self::Float(value) => rounded(*value),
            Self::Text(text) => {
                let text = text.trim();
                let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
                // A unit is one to three letters; `12abcdef` is no number.
                if text.len() - digits.len() > 3 {
                    return None;
                }
                digits.trim_end().parse::<f64>().ok().and_then(rounded)
            }
            Self::Absent | Self::Bool(_) => None,
        }
    }

    /// A boolean; `yes`, `no`, `1` and `0` count.
    #[must_use]
    pub fn to_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(value) => Some(*value),
            Self::Integer(1) => Some(true),
            Self::Integer(0) => Some(false),
            Self::Text(text) => match text.trim() {
                "true" | "yes" | "1" => Some(true),
                "false" | "no" | "0" => Some(false),
                _ => None,
            },
            _ => None,
        }
    }
}

fn rounded(value: f64) -> Option<i32> {
    let value = value.round();
    // The bounds are exact in an f64, so the cast cannot lose anything.
    (value >= f64::from(i32::MIN) && value <= f64::from(i32::MAX)).then_some(value as i32)
}

impl<'de> Deserialize<'de> for Scalar<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnyScalar;

        impl<'de> Visitor<'de> for AnyScalar {
            type Value = Scalar<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("any JSON value")
            }
            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(Scalar::Absent)
            }
            fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
                Ok(Scalar::Bool(value))
            }
            fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
                Ok(Scalar::Integer(value))
            }
            fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
                Ok(i64::try_from(value).map_or(Scalar::Float(value as f64), Scalar::Integer))
            }
            fn visit_f64<E>(self, value: f64) -> Result<Self::Value, E> {
                Ok(Scalar::Float(value))
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Scalar::Text(Cow::Borrowed(text)))
            }
            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Scalar::Text(Cow::Owned(text.to_owned())))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
                while items.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Scalar::Absent)
            }
            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
                while entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Scalar::Absent)
            }
        }

        deserializer.deserialize_any(AnyScalar)
    }
}

macro_rules! raw_event {
    ($($(#[$doc:meta])* $field:ident: $name:literal),+ $(,)?) => {
        /// One body, every field of every generation. Unknown fields are dropped.
        #[derive(Clone, Debug, Default, PartialEq)]
        pub struct RawEvent<'a> {
            $($(#[$doc])* pub $field: Scalar<'a>,)+
        }

        /// The names of all fields that a client of any generation is known to send.
        pub const FIELDS: &[&str] = &[$($name),+];

        impl<'a> RawEvent<'a> {
            /// Sets the field called `name`; says whether there is one. A field that comes twice
            /// keeps its first value.
            pub fn set(&mut self, name: &str, value: Scalar<'a>) -> bool {
                match name {
                    $($name => {
                        if self.$field == Scalar::Absent {
                            self.$field = value;
                        }
                    })+
                    _ => return false,
                }
                true
            }
        }
    };
}

raw_event! {
    /// Session: one person at one script.
    random_id: "random_id",
    /// One attempt within a session; newer clients only.
    execution_id: "execution_id",
    /// Version of the payload; generation 3 only.
    payload_version: "payload_version",
    /// Field `type`: `lxc`, `vm`, `addon`, `pve` and more.
    kind: "type",
    /// The application, as the script names it.
    nsapp: "nsapp",
    /// What the client says of the run.
    status: "status",
    /// 1 unprivileged, 0 privileged container, 2 virtual machine.
    ct_type: "ct_type",
    /// GB.
    disk_size: "disk_size",
    /// CPU cores.
    core_count: "core_count",
    /// MB.
    ram_size: "ram_size",
    /// Operating system of the guest.
    os_type: "os_type",
    /// Its version.
    os_version: "os_version",
    /// Version of Proxmox VE on the host.
    pve_version: "pve_version",
    /// How the settings were chosen (`default`, `advanced`).
    method: "method",
    /// IPv6 disabled; generation 1 only.
    disableip6: "disableip6",
    /// Exit code of the script.
    exit_code: "exit_code",
    /// What went wrong: generation 1 a sentence, later the end of the log.
    error: "error",
    /// The documented name of `error`.
    error_explanation: "error_explanation",
    /// The client's own category of the exit code.
    error_category: "error_category",
    /// Seconds.
    install_duration: "install_duration",
    /// What containers call `install_duration`.
    duration: "duration",
    /// The command that failed.
    failed_command: "failed_command",
    /// Its line in the script.
    failed_line: "failed_line",
    /// CPU vendor.
    cpu_vendor: "cpu_vendor",
    /// CPU model.
    cpu_model: "cpu_model",
    /// GPU vendor.
    gpu_vendor: "gpu_vendor",
    /// GPU model.
    gpu_model: "gpu_model",
    /// Whether the GPU is passed through.
    gpu_passthrough: "gpu_passthrough",
    /// MT/s.
    ram_speed: "ram_speed",
    /// CPU architecture.
    arch: "arch",
    /// `pve` or `incus`.
    platform: "platform",
    /// Whether the script supports ARM.
    has_arm: "has_arm",
    /// Kernel of the host.
    kernel_version: "kernel_version",
    /// Version of the application.
    app_version: "app_version",
    /// `ProxmoxVE`, `ProxmoxVED` or another repository.
    repo_source: "repo_source",
    /// `owner/name` of the repository.
    repo_slug: "repo_slug",
    /// `tarball` or `oci`: what the container was made from.
    template_kind: "template_kind",
    /// Whether the container starts another program than its image says.
    custom_entrypoint: "custom_entrypoint",
    /// Whether the host configures the network of the container.
    host_managed_network: "host_managed_network",
    /// Where the scripts came from: `local`, `remote`, `pinned`, `mirror`.
    runtime_source: "runtime_source",
    /// Their revision: `main`, a release tag or a commit.
    runtime_ref: "runtime_ref",
    /// Cores of a virtual machine, as documented for generation 1.
    vm_cores: "vm_cores",
    /// RAM of a virtual machine, as documented for generation 1.
    vm_ram: "vm_ram",
    /// Disk of a virtual machine, as documented for generation 1.
    vm_disk: "vm_disk",
    /// Operating system of a virtual machine, as documented for generation 1.
    vm_os: "vm_os",
    /// Its version, as documented for generation 1.
    vm_version: "vm_version",
    /// Application of a virtual machine, as documented for generation 1.
    vm_app: "vm_app",
}

impl<'de> Deserialize<'de> for RawEvent<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;

        impl<'de> Visitor<'de> for Fields {
            type Value = RawEvent<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
                let mut event = RawEvent::default();
                while let Some(name) = entries.next_key::<Name<'de>>()? {
                    event.set(&name.0, entries.next_value()?);
                }
                Ok(event)
            }
        }

        deserializer.deserialize_map(Fields)
    }
}

/// A field's name, borrowed unless it is written with escapes.
struct Name<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnyName;

        impl<'de> Visitor<'de> for AnyName {
            type Value = Name<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a field name")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Name(Cow::Borrowed(text)))
            }
            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Name(Cow::Owned(text.to_owned())))
            }
        }

        deserializer.deserialize_str(AnyName)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> RawEvent<'_> {
        serde_json::from_str(json).expect("valid JSON")
    }

    #[test]
    fn a_wrong_type_loses_the_field_and_not_the_event() {
        let event = read(r#"{"random_id":"a","nsapp":{"x":[1,{}]},"disk_size":[1],"unknown":{"y":1}}"#);
        assert_eq!(event.random_id, Scalar::Text("a".into()));
        assert_eq!(event.nsapp, Scalar::Absent);
        assert_eq!(event.disk_size, Scalar::Absent);
    }

    #[test]
    fn sizes_are_read_with_units_fractions_and_as_text() {
        for (value, expected) in [
            (r#""32G""#, Some(32)),
            (r#""32 GiB""#, Some(32)),
            ("4.5", Some(5)),
            (r#""2048""#, Some(2048)),
            ("1e300", None),
            ("99999999999", None),
            (r#""twelve""#, None),
            (r#""""#, None),
            ("null", None),
            ("true", None),
        ] {
            let json = format!(r#"{{"disk_size":{value}}}"#);
            assert_eq!(read(&json).disk_size.to_integer(), expected, "{value}");
        }
    }

    #[test]
    fn a_field_that_comes_twice_keeps_its_first_value() {
        assert_eq!(read(r#"{"nsapp":"a","nsapp":"b"}"#).nsapp, Scalar::Text("a".into()));
    }

    #[test]
    fn escaped_field_names_are_understood() {
        assert_eq!(read(r#"{"ns\u0061pp":"a"}"#).nsapp, Scalar::Text("a".into()));
    }
}
