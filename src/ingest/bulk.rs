//! Splits a body of many events: a JSON array or one event a line, plain or compressed.
//!
//! The client of this project sends such bodies after an outage. Each event then passes through the
//! pipeline on its own.

use std::borrow::Cow;
use std::fmt;
use std::io::{self, Read};

use flate2::read::MultiGzDecoder;
use serde::de::{Deserialize, Deserializer, Error, SeqAccess, Visitor};
use serde_json::error::Category;
use serde_json::value::RawValue;
use zstd::stream::read::Decoder as ZstdDecoder;

/// Most events in one body.
pub const MAX_EVENTS: usize = 10_000;
/// Longest body in bytes, both before and after decompression.
pub const MAX_BATCH_BYTES: usize = 16 << 20;
/// Largest window that a zstd frame may require, as a power of 2 in bytes. Compressors use up to 23 by default.
const MAX_WINDOW_LOG: u32 = 24;

/// Why a body could not be split. Nothing in it repeats the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BulkError {
    /// More than [`MAX_BATCH_BYTES`].
    #[error("the batch is longer than 16 MiB when decompressed")]
    TooLong,
    /// More than [`MAX_EVENTS`].
    #[error("the batch holds more than 10000 events")]
    TooMany,
    /// The compressed stream is broken or ends early.
    #[error("the body cannot be decompressed")]
    Compression,
    /// Neither an array nor lines of JSON objects.
    #[error("the body must be a JSON array of events or one event a line")]
    Unreadable,
}

impl BulkError {
    /// Stable code of the reason, for the reply and as the label of the metric.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::TooLong => "batch_too_long",
            Self::TooMany => "too_many_events",
            Self::Compression => "broken_compression",
            Self::Unreadable => "unreadable_batch",
        }
    }
}

/// The content encoding of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Not compressed.
    Identity,
    /// RFC 1952.
    Gzip,
    /// RFC 8878.
    Zstd,
}

impl Encoding {
    /// Parses a `Content-Encoding`; `None` for an unsupported one.
    #[must_use]
    pub fn from_header(value: &str) -> Option<Self> {
        let known = [
            ("identity", Self::Identity),
            ("gzip", Self::Gzip),
            ("x-gzip", Self::Gzip),
            ("zstd", Self::Zstd),
        ];
        known
            .into_iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(value.trim()))
            .map(|(_, encoding)| encoding)
    }
}

/// Decompresses a body, up to [`MAX_BATCH_BYTES`].
///
/// # Errors
/// [`BulkError::TooLong`] as soon as the limit is exceeded, [`BulkError::Compression`] for a broken stream.
pub fn decompress(body: &[u8], encoding: Encoding) -> Result<Cow<'_, [u8]>, BulkError> {
    let read = match encoding {
        Encoding::Identity if body.len() > MAX_BATCH_BYTES => return Err(BulkError::TooLong),
        Encoding::Identity => return Ok(Cow::Borrowed(body)),
        Encoding::Gzip => bounded(MultiGzDecoder::new(body)),
        Encoding::Zstd => ZstdDecoder::with_buffer(body).and_then(|mut decoder| {
            decoder.window_log_max(MAX_WINDOW_LOG)?;
            bounded(decoder)
        }),
    };
    let bytes = read.map_err(|_| BulkError::Compression)?;
    if bytes.len() > MAX_BATCH_BYTES { Err(BulkError::TooLong) } else { Ok(Cow::Owned(bytes)) }
}

/// Reads to the end, but at most one byte more than the limit.
fn bounded(source: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    source.take(MAX_BATCH_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Splits a body into the bodies of its events, in order. A line need not be valid JSON: `decode` repairs
/// or rejects it on its own.
///
/// # Errors
/// [`BulkError::TooMany`] for more than [`MAX_EVENTS`], [`BulkError::Unreadable`] for anything but a JSON
/// array or lines that begin with an object.
pub fn split(body: &[u8]) -> Result<Vec<&[u8]>, BulkError> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body).trim_ascii();
    let events = match body.first() {
        None => Vec::new(),
        Some(b'[') => {
            let events = serde_json::from_slice::<Events<'_>>(body);
            events.map(|Events(events)| events).map_err(|error| match error.classify() {
                // The only error that is not one of syntax.
                Category::Data => BulkError::TooMany,
                _ => BulkError::Unreadable,
            })?
        }
        // One event that spans several lines.
        Some(b'{') if serde_json::from_slice::<&RawValue>(body).is_ok() => vec![body],
        Some(b'{') => {
            let lines = body.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
            lines.filter(|line| !line.is_empty()).take(MAX_EVENTS + 1).collect()
        }
        Some(_) => return Err(BulkError::Unreadable),
    };
    if events.len() > MAX_EVENTS { Err(BulkError::TooMany) } else { Ok(events) }
}

/// The elements of an array. Reading stops at the first one past [`MAX_EVENTS`], because 16 MiB can hold eight million
/// elements, and a reference to each takes memory.
struct Events<'a>(Vec<&'a [u8]>);

impl<'de> Deserialize<'de> for Events<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Elements;

        impl<'de> Visitor<'de> for Elements {
            type Value = Events<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array of at most 10000 events")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Self::Value, A::Error> {
                let mut events = Vec::new();
                while let Some(event) = elements.next_element::<&RawValue>()? {
                    if events.len() == MAX_EVENTS {
                        return Err(A::Error::custom("too many events"));
                    }
                    events.push(event.get().as_bytes());
                }
                Ok(Events(events))
            }
        }

        deserializer.deserialize_seq(Elements)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use proptest::prelude::*;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).expect("memory");
        encoder.finish().expect("memory")
    }

    fn zstd(bytes: &[u8]) -> Vec<u8> {
        zstd::encode_all(bytes, 1).expect("memory")
    }

    #[test]
    fn an_array_lines_and_a_single_event_are_split() {
        let two: Vec<&[u8]> = vec![br#"{"a":1}"#, br#"{"b":[{}]}"#];
        assert_eq!(split(br#" [ {"a":1} ,{"b":[{}]}]"#), Ok(two.clone()));
        assert_eq!(split(b"{\"a\":1}\r\n\n{\"b\":[{}]}\n"), Ok(two));
        assert_eq!(split(b"{\n \"a\": 1\n}"), Ok(vec![&b"{\n \"a\": 1\n}"[..]]));
        assert_eq!(split(b"{\"a\": 32G}\n{}"), Ok(vec![&b"{\"a\": 32G}"[..], b"{}"]));
        assert_eq!(split(b" "), Ok(vec![]));
        assert_eq!(split(b"[]"), Ok(vec![]));
        for body in [&b"[{}"[..], b"[{}]x", b"hello", b"3", b"[\xff]"] {
            assert_eq!(split(body), Err(BulkError::Unreadable), "{body:?}");
        }
    }

    #[test]
    fn the_number_of_events_is_limited() {
        let lines = "{}\n".repeat(MAX_EVENTS);
        assert_eq!(split(lines.as_bytes()).map(|events| events.len()), Ok(MAX_EVENTS));
        assert_eq!(split(format!("{lines}{{}}").as_bytes()), Err(BulkError::TooMany));
        let array = format!("[{}{{}}]", "{},".repeat(MAX_EVENTS));
        assert_eq!(split(array.as_bytes()), Err(BulkError::TooMany));
        // The rest of the array is not read.
        assert_eq!(split(format!("[{}!", "0,".repeat(MAX_EVENTS + 1)).as_bytes()), Err(BulkError::TooMany));
    }

    #[test]
    fn a_decompression_bomb_is_refused() {
        let zeros = vec![b'0'; MAX_BATCH_BYTES + 1];
        let unpack = |packed: &[u8], encoding| decompress(packed, encoding).map(Cow::into_owned);
        for (packed, encoding) in [(gzip(&zeros), Encoding::Gzip), (zstd(&zeros), Encoding::Zstd)] {
            assert!(packed.len() < 100_000);
            assert_eq!(decompress(&packed, encoding), Err(BulkError::TooLong), "{encoding:?}");
        }
        assert_eq!(decompress(&zeros, Encoding::Identity), Err(BulkError::TooLong));
        let fits = &zeros[1..];
        assert_eq!(unpack(&gzip(fits), Encoding::Gzip).as_deref(), Ok(fits));
        assert_eq!(unpack(&zstd(fits), Encoding::Zstd).as_deref(), Ok(fits));
    }

    #[test]
    fn a_body_that_does_not_match_its_encoding_is_refused() {
        for encoding in [Encoding::Gzip, Encoding::Zstd] {
            assert_eq!(decompress(b"{}", encoding), Err(BulkError::Compression), "{encoding:?}");
        }
        let cut = |mut bytes: Vec<u8>| {
            bytes.truncate(bytes.len() - 3);
            bytes
        };
        assert_eq!(decompress(&cut(gzip(b"{\"a\":1}")), Encoding::Gzip), Err(BulkError::Compression));
        assert_eq!(decompress(&cut(zstd(b"{\"a\":1}")), Encoding::Zstd), Err(BulkError::Compression));
        assert_eq!(Encoding::from_header(" GZIP"), Some(Encoding::Gzip));
        assert_eq!(Encoding::from_header("br"), None);
    }

    proptest! {
        #[test]
        fn no_input_panics_and_the_parts_are_no_longer_than_the_body(body in proptest::collection::vec(any::<u8>(), 0..300)) {
            for encoding in [Encoding::Identity, Encoding::Gzip, Encoding::Zstd] {
                let _ = decompress(&body, encoding);
            }
            let parts = split(&body).unwrap_or_default();
            prop_assert!(parts.iter().map(|event| event.len()).sum::<usize>() <= body.len());
        }

        #[test]
        fn a_compressed_body_round_trips(body in proptest::collection::vec(any::<u8>(), 0..3000)) {
            for (packed, encoding) in [(gzip(&body), Encoding::Gzip), (zstd(&body), Encoding::Zstd)] {
                let unpacked = decompress(&packed, encoding);
                prop_assert_eq!(unpacked.as_deref(), Ok(&body[..]));
            }
        }
    }
}
