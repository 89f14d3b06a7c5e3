//! Lists as CSV and as newline-delimited JSON. Columns keep the order of the fields.

use std::fmt;

use serde::de::{Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A format for lists other than JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Comma-separated values with a header line (RFC 4180).
    Csv,
    /// One JSON object a line.
    Ndjson,
}

impl Format {
    /// The media type.
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8; header=present",
            Self::Ndjson => "application/x-ndjson",
        }
    }

    /// The file name extension.
    #[must_use]
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Ndjson => "ndjson",
        }
    }
}

/// Formats a list. `is_first` says that no rows precede these, so that CSV needs a header line.
///
/// An empty list yields no bytes, not even a header: the columns follow from the first row.
///
/// # Errors
/// A row that does not serialize to a JSON object, which is a bug.
pub fn table<T: Serialize>(rows: &[T], format: Format, is_first: bool) -> Result<Vec<u8>, serde_json::Error> {
    let mut out = Vec::with_capacity(rows.len() * 256);
    if format == Format::Ndjson {
        for row in rows {
            serde_json::to_writer(&mut out, row)?;
            out.push(b'\n');
        }
        return Ok(out);
    }
    let mut json = Vec::new();
    let mut csv = csv::Writer::from_writer(out);
    for (position, row) in rows.iter().enumerate() {
        json.clear();
        serde_json::to_writer(&mut json, row)?;
        let Fields(fields) = serde_json::from_slice(&json)?;
        if is_first && position == 0 {
            csv.write_record(fields.iter().map(|(name, _)| name)).map_err(failed)?;
        }
        csv.write_record(fields.into_iter().map(|(_, value)| cell(value))).map_err(failed)?;
    }
    csv.into_inner().map_err(|error| serde_json::Error::io(error.into_error()))
}

fn failed(error: csv::Error) -> serde_json::Error {
    serde_json::Error::io(error.into())
}

/// Formats a cell. An apostrophe keeps spreadsheets from running text that begins like a formula.
fn cell(value: Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) if text.starts_with(['=', '+', '-', '@', '\t', '\r']) => format!("'{text}"),
        Value::String(text) => text,
        other => other.to_string(),
    }
}

/// The fields of an object in their original order.
struct Fields(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Fields;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
                let mut fields = Vec::with_capacity(map.size_hint().unwrap_or(48));
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

/// An answer with lists, each of which can be exported as a table.
pub trait Lists: Serialize {
    /// Names of the lists; the first is the default.
    const NAMES: &'static [&'static str];

    /// One of [`Lists::NAMES`] as a table.
    ///
    /// # Errors
    /// As [`table`].
    fn list(&self, name: &str, format: Format) -> Result<Vec<u8>, serde_json::Error>;
}

/// Implements [`Lists`] for an answer from the names of its fields, the default first.
macro_rules! lists {
    ($answer:ty: $($name:ident),+ $(,)?) => {
        impl $crate::expose::table::Lists for $answer {
            const NAMES: &'static [&'static str] = &[$(stringify!($name)),+];

            fn list(
                &self,
                name: &str,
                format: $crate::expose::table::Format,
            ) -> Result<Vec<u8>, serde_json::Error> {
                $(if name == stringify!($name) {
                    return $crate::expose::table::table(&self.$name, format, true);
                })+
                Ok(Vec::new())
            }
        }
    };
}
pub(crate) use lists;

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize)]
    struct Row {
        zebra: &'static str,
        app: Option<&'static str>,
        count: i64,
        steps: Vec<i64>,
    }

    fn row(zebra: &'static str) -> Row {
        Row { zebra, app: None, count: -1, steps: vec![1, 2] }
    }

    #[test]
    fn columns_keep_their_order_and_cells_are_never_formulas() {
        let rows = [row("=1+1"), row("a,\"b\"\nc"), row("\t@x"), row("a=b")];
        let csv = String::from_utf8(table(&rows, Format::Csv, true).expect("rows")).expect("UTF-8");
        assert_eq!(
            csv,
            "zebra,app,count,steps\n'=1+1,,-1,\"[1,2]\"\n\"a,\"\"b\"\"\nc\",,-1,\"[1,2]\"\n'\t@x,,-1,\"[1,2]\"\na=b,,-1,\"[1,2]\"\n"
        );
        for formula in ["=x", "+x", "-x", "@x", "\tx", "\rx"] {
            assert!(cell(formula.into()).starts_with('\''), "{formula:?}");
        }
    }

    #[test]
    fn later_rows_have_no_header_and_ndjson_has_one_row_a_line() {
        let rows = [row("a")];
        assert_eq!(table(&rows, Format::Csv, false).expect("rows"), b"a,,-1,\"[1,2]\"\n");
        let line = table(&rows, Format::Ndjson, true).expect("rows");
        assert_eq!(line, b"{\"zebra\":\"a\",\"app\":null,\"count\":-1,\"steps\":[1,2]}\n");
    }
}
