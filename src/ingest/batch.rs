//! Many events in one body, as our own client sends what it had to keep: a JSON array or one event a
//! line, plain or compressed. It is taken apart here; each event then goes its own way.

use std::borrow::Cow;
use std::io::{self, Read};

use flate2::read::MultiGzDecoder;
use serde_json::value::RawValue;
use zstd::stream::read::Decoder as ZstdDecoder;

/// Most events of one body.
pub const MAX_EVENTS: usize = 10_000;
/// Most bytes of one body, before and after decompression.
pub const MAX_BATCH_BYTES: usize = 16 << 20;
/// A zstd frame may ask for a window of 2 to this power bytes; the default of compressors is 23.
const MAX_WINDOW_LOG: u32 = 24;

/// Why a batch was not taken apart. Nothing in it repeats what the client sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BatchError {
    /// More bytes than may be.
    #[error("the batch is longer than 16 MiB when decompressed")]
    TooLong,
    /// More events than may be.
    #[error("the batch holds more than 10000 events")]
    TooMany,
    /// The compressed stream is broken or ends early.
    #[error("the body cannot be decompressed")]
    Compression,
    /// Neither an array nor lines of JSON objects.
    #[error("the body must be a JSON array of events or one event a line")]
    Unreadable,
}

impl BatchError {
    /// Stable code of the reason: in the reply and as label of the metric.
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

/// How a body is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Not at all.
    Identity,
    /// RFC 1952.
    Gzip,
    /// RFC 8878.
    Zstd,
}

impl Encoding {
    /// Reads a `Content-Encoding`; `None` for one that we do not take.
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
/// [`BatchError::TooLong`] as soon as there is more, [`BatchError::Compression`].
pub fn decompress(body: &[u8], encoding: Encoding) -> Result<Cow<'_, [u8]>, BatchError> {
    let read = match encoding {
        Encoding::Identity if body.len() > MAX_BATCH_BYTES => return Err(BatchError::TooLong),
        Encoding::Identity => return Ok(Cow::Borrowed(body)),
        Encoding::Gzip => bounded(MultiGzDecoder::new(body)),
        Encoding::Zstd => ZstdDecoder::with_buffer(body).and_then(|mut decoder| {
            decoder.window_log_max(MAX_WINDOW_LOG)?;
            bounded(decoder)
        }),
    };
    let bytes = read.map_err(|_| BatchError::Compression)?;
    if bytes.len() > MAX_BATCH_BYTES { Err(BatchError::TooLong) } else { Ok(Cow::Owned(bytes)) }
}

/// Everything, or one byte more than may be.
fn bounded(source: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    source.take(MAX_BATCH_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The bodies of the events, in order. A line that is no JSON is a body as well: what it holds is
/// rescued or refused by itself.
///
/// # Errors
/// [`BatchError::TooMany`], [`BatchError::Unreadable`] for an array that is not one.
pub fn events(body: &[u8]) -> Result<Vec<&[u8]>, BatchError> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body).trim_ascii();
    let events = match body.first() {
        None => Vec::new(),
        Some(b'[') => {
            let values: Vec<&RawValue> = serde_json::from_slice(body).map_err(|_| BatchError::Unreadable)?;
            values.into_iter().map(|value| value.get().as_bytes()).collect()
        }
        // One event over several lines.
        Some(b'{') if serde_json::from_slice::<&RawValue>(body).is_ok() => vec![body],
        Some(b'{') => {
            let lines = body.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
            lines.filter(|line| !line.is_empty()).take(MAX_EVENTS + 1).collect()
        }
        Some(_) => return Err(BatchError::Unreadable),
    };
    if events.len() > MAX_EVENTS { Err(BatchError::TooMany) } else { Ok(events) }
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
    fn an_array_lines_and_one_event_are_taken_apart() {
        let two: Vec<&[u8]> = vec![br#"{"a":1}"#, br#"{"b":[{}]}"#];
        assert_eq!(events(br#" [ {"a":1} ,{"b":[{}]}]"#), Ok(two.clone()));
        assert_eq!(events(b"{\"a\":1}\r\n\n{\"b\":[{}]}\n"), Ok(two));
        assert_eq!(events(b"{\n \"a\": 1\n}"), Ok(vec![&b"{\n \"a\": 1\n}"[..]]));
        assert_eq!(events(b"{\"a\": 32G}\n{}"), Ok(vec![&b"{\"a\": 32G}"[..], b"{}"]));
        assert_eq!(events(b" "), Ok(vec![]));
        assert_eq!(events(b"[]"), Ok(vec![]));
        for body in [&b"[{}"[..], b"[{}]x", b"hello", b"3", b"[\xff]"] {
            assert_eq!(events(body), Err(BatchError::Unreadable), "{body:?}");
        }
    }

    #[test]
    fn the_number_of_events_is_bounded() {
        let lines = "{}\n".repeat(MAX_EVENTS);
        assert_eq!(events(lines.as_bytes()).map(|events| events.len()), Ok(MAX_EVENTS));
        assert_eq!(events(format!("{lines}{{}}").as_bytes()), Err(BatchError::TooMany));
        let array = format!("[{}{{}}]", "{},".repeat(MAX_EVENTS));
        assert_eq!(events(array.as_bytes()), Err(BatchError::TooMany));
    }

    #[test]
    fn a_small_body_that_grows_without_end_is_refused() {
        let zeros = vec![b'0'; MAX_BATCH_BYTES + 1];
        let unpack = |packed: &[u8], encoding| decompress(packed, encoding).map(Cow::into_owned);
        for (packed, encoding) in [(gzip(&zeros), Encoding::Gzip), (zstd(&zeros), Encoding::Zstd)] {
            assert!(packed.len() < 100_000);
            assert_eq!(decompress(&packed, encoding), Err(BatchError::TooLong), "{encoding:?}");
        }
        assert_eq!(decompress(&zeros, Encoding::Identity), Err(BatchError::TooLong));
        let fits = &zeros[1..];
        assert_eq!(unpack(&gzip(fits), Encoding::Gzip).as_deref(), Ok(fits));
        assert_eq!(unpack(&zstd(fits), Encoding::Zstd).as_deref(), Ok(fits));
    }

    #[test]
    fn what_is_not_compressed_as_it_says_is_refused() {
        for encoding in [Encoding::Gzip, Encoding::Zstd] {
            assert_eq!(decompress(b"{}", encoding), Err(BatchError::Compression), "{encoding:?}");
        }
        let cut = |mut bytes: Vec<u8>| {
            bytes.truncate(bytes.len() - 3);
            bytes
        };
        assert_eq!(decompress(&cut(gzip(b"{\"a\":1}")), Encoding::Gzip), Err(BatchError::Compression));
        assert_eq!(decompress(&cut(zstd(b"{\"a\":1}")), Encoding::Zstd), Err(BatchError::Compression));
        assert_eq!(Encoding::from_header(" GZIP"), Some(Encoding::Gzip));
        assert_eq!(Encoding::from_header("br"), None);
    }

    proptest! {
        #[test]
        fn no_input_panics_and_nothing_comes_from_nowhere(body in proptest::collection::vec(any::<u8>(), 0..300)) {
            for encoding in [Encoding::Identity, Encoding::Gzip, Encoding::Zstd] {
                let _ = decompress(&body, encoding);
            }
            let split = events(&body).unwrap_or_default();
            prop_assert!(split.iter().map(|event| event.len()).sum::<usize>() <= body.len());
        }

        #[test]
        fn what_is_packed_comes_out_again(body in proptest::collection::vec(any::<u8>(), 0..3000)) {
            for (packed, encoding) in [(gzip(&body), Encoding::Gzip), (zstd(&body), Encoding::Zstd)] {
                let unpacked = decompress(&packed, encoding);
                prop_assert_eq!(unpacked.as_deref(), Ok(&body[..]));
            }
        }
    }
}
