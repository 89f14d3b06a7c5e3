//! The body of an event as sent, before it is interpreted.
//!
//! [`RawEvent`] has the fields of all generations. Each is optional and may have any scalar type, because
//! clients send numbers as strings, sizes with units, and omit what they do not know.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// The value of a field, reduced to a scalar.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Scalar<'a> {
    /// `null`, a missing field, or an array or object instead of a scalar.
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
    /// Text without surrounding whitespace; numbers and booleans are formatted. `None` if nothing is
    /// left.
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

    /// A whole number. `None` for anything else, such as a fraction, and for a number that does not fit into
    /// 32 bits.
    #[must_use]
    pub fn to_integer(&self) -> Option<i32> {
        self.to_number().filter(|number| number.fract() == 0.0).and_then(truncated)
    }

    /// A size or a duration: a fraction is dropped (4 of `4.5`). `None` for anything that is not a number or does not
    /// fit into 32 bits.
    #[must_use]
    pub fn to_size(&self) -> Option<i32> {
        self.to_number().and_then(truncated)
    }

    /// A number, without its unit (`32G`). Integers above 2^53 lose digits.
    fn to_number(&self) -> Option<f64> {
        match self {
            Self::Integer(value) => Some(*value as f64),
            Self::Float(value) => Some(*value),
            Self::Text(text) => {
                let text = text.trim();
                let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
                // A unit has one to three letters; `12abcdef` is not a number.
                if text.len() - digits.len() > 3 {
                    return None;
                }
                digits.trim_end().parse().ok()
            }
            Self::Absent | Self::Bool(_) => None,
        }
    }

    /// A boolean, which may be written as `yes`, `no`, `1` or `0`.
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

fn truncated(value: f64) -> Option<i32> {
    // The bounds are exact in f64, so the cast is lossless.
    let value = value.trunc();
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
        /// One body, with the fields of all generations. Unknown fields are ignored.
        #[derive(Clone, Debug, Default, PartialEq)]
        pub struct RawEvent<'a> {
            $($(#[$doc])* pub $field: Scalar<'a>,)+
        }

        /// The names of all fields that a client of any generation is known to send.
        pub const FIELDS: &[&str] = &[$($name),+];

        impl<'a> RawEvent<'a> {
            /// Sets the field called `name`. If a body repeats a field, the last value counts, as in most JSON
            /// readers. Returns whether the field exists.
            pub fn set(&mut self, name: &str, value: Scalar<'a>) -> bool {
                match name {
                    $($name => self.$field = value,)+
                    _ => return false,
                }
                true
            }
        }
    };
}

raw_event! {
    /// Session: the attempts of one person at one script.
    random_id: "random_id",
    /// One attempt within a session; newer clients only.
    execution_id: "execution_id",
    /// Version of the payload; generation 3 only.
    payload_version: "payload_version",
    /// Field `type`: `lxc`, `vm`, `addon`, `pve` and more.
    kind: "type",
    /// Short name of the application.
    nsapp: "nsapp",
    /// Reported status.
    status: "status",
    /// 0 for a privileged container, 1 for an unprivileged one, 2 for a virtual machine.
    ct_type: "ct_type",
    /// GB.
    disk_size: "disk_size",
    /// CPU cores.
    core_count: "core_count",
    /// MB.
    ram_size: "ram_size",
    /// Operating system of the guest.
    os_type: "os_type",
    /// Version of the operating system.
    os_version: "os_version",
    /// Version of Proxmox VE on the host.
    pve_version: "pve_version",
    /// How the settings were chosen (`default`, `advanced`).
    method: "method",
    /// IPv6 disabled; generation 1 only.
    disableip6: "disableip6",
    /// Exit code of the script.
    exit_code: "exit_code",
    /// Error text: a sentence in generation 1, the end of the log in later ones.
    error: "error",
    /// The documented name of `error`.
    error_explanation: "error_explanation",
    /// Category of the exit code according to the client.
    error_category: "error_category",
    /// Seconds.
    install_duration: "install_duration",
    /// Name of `install_duration` in reports from containers.
    duration: "duration",
    /// The command that failed.
    failed_command: "failed_command",
    /// Line number of the failed command.
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
    /// `tarball` or `oci`: the template of the container.
    template_kind: "template_kind",
    /// Whether the container starts something other than an init system.
    custom_entrypoint: "custom_entrypoint",
    /// Whether the host configures the network of the container.
    host_managed_network: "host_managed_network",
    /// Source of the scripts: `local`, `remote`, `pinned` or `mirror`.
    runtime_source: "runtime_source",
    /// Revision of the scripts: `main`, a release tag or a commit.
    runtime_ref: "runtime_ref",
    /// Cores of a virtual machine, as documented for generation 1.
    vm_cores: "vm_cores",
    /// RAM of a virtual machine, as documented for generation 1.
    vm_ram: "vm_ram",
    /// Disk of a virtual machine, as documented for generation 1.
    vm_disk: "vm_disk",
    /// Operating system of a virtual machine, as documented for generation 1.
    vm_os: "vm_os",
    /// Version of that operating system, as documented for generation 1.
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

/// A field name, borrowed unless it contains escapes.
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
    fn a_wrong_type_affects_only_its_field() {
        let event = read(r#"{"random_id":"a","nsapp":{"x":[1,{}]},"disk_size":[1],"unknown":{"y":1}}"#);
        assert_eq!(event.random_id, Scalar::Text("a".into()));
        assert_eq!(event.nsapp, Scalar::Absent);
        assert_eq!(event.disk_size, Scalar::Absent);
    }

    #[test]
    fn numbers_may_have_units_and_be_text() {
        for (value, expected) in [
            (r#""32G""#, Some(32)),
            (r#""32 GiB""#, Some(32)),
            (r#""137.0""#, Some(137)),
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
            assert_eq!(read(&json).disk_size.to_size(), expected, "{value}");
        }
    }

    #[test]
    fn a_fraction_is_dropped_from_a_size_and_makes_any_other_number_invalid() {
        for value in ["137.9", r#""137.9""#] {
            let json = format!(r#"{{"disk_size":{value}}}"#);
            let event = read(&json);
            assert_eq!((event.disk_size.to_integer(), event.disk_size.to_size()), (None, Some(137)));
        }
    }

    #[test]
    fn a_repeated_field_takes_its_last_value() {
        assert_eq!(read(r#"{"nsapp":"a","nsapp":"b"}"#).nsapp, Scalar::Text("b".into()));
    }

    #[test]
    fn escaped_field_names_are_understood() {
        assert_eq!(read(r#"{"ns\u0061pp":"a"}"#).nsapp, Scalar::Text("a".into()));
    }
}
