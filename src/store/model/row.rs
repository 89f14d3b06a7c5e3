//! Encodes an execution as a row of the database, and decodes it.

use sqlx::encode::{Encode, IsNull};
use sqlx::error::BoxDynError;
use sqlx::postgres::types::{PgRecordDecoder, PgRecordEncoder};
use sqlx::postgres::{PgArgumentBuffer, PgHasArrayType, PgTypeInfo, PgValueRef};
use sqlx::{Decode, Postgres, Type};
use telemetry_protocol::exit_code::Category;
use telemetry_protocol::{Generation, Status};
use uuid::Uuid;

use crate::ingest::execution::Execution;
use crate::ingest::identity::RunKey;
use crate::ingest::reported::{Facts, Reported, with_facts};

macro_rules! row {
    ($($(#[$doc:meta])* $field:ident: $type:ty),+ $(,)?) => {
        impl Decode<'_, Postgres> for Stored {
            fn decode(value: PgValueRef<'_>) -> Result<Self, BoxDynError> {
                let mut record = PgRecordDecoder::new(value)?;
                let key = RunKey(record.try_decode()?);
                let session = record.try_decode::<Option<Uuid>>()?.map(RunKey);
                let revision = record.try_decode()?;
                let generation = u8::try_from(record.try_decode::<i16>()?)?;
                let (first_seen, last_seen) = (record.try_decode()?, record.try_decode()?);
                let mut steps = [None; Status::ALL.len()];
                for step in &mut steps {
                    *step = record.try_decode()?;
                }
                let _status: String = record.try_decode()?;
                let outcome: String = record.try_decode()?;
                let signature = record.try_decode()?;
                let fact_status: Vec<u8> = record.try_decode()?;
                let mut position = 0..;
                let facts = Facts {
                    $($field: {
                        let value: Option<$type> = record.try_decode()?;
                        match status_at(&fact_status, position.next().unwrap_or_default()) {
                            Some(status) => Reported::by(status, value),
                            None => Reported::default(),
                        }
                    },)+
                };
                let category: Option<String> = record.try_decode()?;
                let category = category.as_deref().and_then(Category::from_word);
                let generation = Generation::try_from(generation)?;
                let execution = Execution {
                    key, session, generation, first_seen, last_seen, steps, facts, signature, category,
                };
                Ok(Self { execution, revision, outcome })
            }
        }

        impl Encode<'_, Postgres> for Written<'_> {
            fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
                let Self { execution, revision, .. } = self;
                let mut record = PgRecordEncoder::new(buffer);
                record
                    .encode(execution.key.0)?
                    .encode(execution.session.map(|key| key.0))?
                    .encode(*revision)?
                    .encode(i16::from(execution.generation.number()))?
                    .encode(execution.first_seen)?
                    .encode(execution.last_seen)?;
                for step in execution.steps {
                    record.encode(step)?;
                }
                record.encode(execution.status().as_str())?.encode(execution.outcome().as_str())?;
                record.encode(execution.signature)?.encode(&fact_status(&execution.facts)[..])?;
                $(record.encode(execution.facts.$field.get())?;)+
                record.encode(execution.category.map(Category::as_str))?;
                record.finish();
                Ok(IsNull::No)
            }
        }
    };
}

with_facts!(row);

/// A row that was read: `select execution from execution`, one value of the row type.
#[derive(Clone, Debug)]
pub struct Stored {
    /// The execution.
    pub execution: Execution,
    /// The revision that was read.
    pub revision: i32,
    /// The outcome in the row.
    pub outcome: String,
}

impl Type<Postgres> for Stored {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_name("execution")
    }
}

/// A row to be written, as a value of the row type of `execution`: its columns in order.
///
/// A batch is one array of these. An array per column would make `unnest` build an intermediate table for each
/// column, which takes half as long again.
#[derive(Debug)]
pub(crate) struct Written<'a> {
    /// The execution.
    pub(crate) execution: &'a Execution,
    /// The new revision.
    pub(crate) revision: i32,
    /// Whether there was no row when it was read.
    pub(crate) is_new: bool,
}

impl Type<Postgres> for Written<'_> {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_name("execution")
    }
}

impl PgHasArrayType for Written<'_> {
    fn array_type_info() -> PgTypeInfo {
        PgTypeInfo::array_of("execution")
    }
}

const STATUS_BYTES: usize = Facts::COUNT.div_ceil(2);

/// Packs the status of the event that reported each fact, four bits per fact.
fn fact_status(facts: &Facts) -> [u8; STATUS_BYTES] {
    let mut packed = [0; STATUS_BYTES];
    for (position, status) in facts.statuses().into_iter().enumerate() {
        let half = status.map_or(0, |status| status.rank() + 1);
        packed[position / 2] |= if position % 2 == 0 { half << 4 } else { half };
    }
    packed
}

/// The status of the event that reported the fact at this position; `None` if no event did.
fn status_at(packed: &[u8], position: usize) -> Option<Status> {
    let byte = packed.get(position / 2)?;
    let half = if position.is_multiple_of(2) { byte >> 4 } else { byte & 0xf };
    Status::ALL.get(usize::from(half).checked_sub(1)?).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_of_each_fact_survives_packing() {
        let facts = Facts {
            app: Reported::by(Status::Installing, Some("x".into())),
            kind: Reported::by(Status::Success, Some("lxc".into())),
            repo_slug: Reported::by(Status::Failed, Some("a/b".into())),
            ..Facts::default()
        };
        let packed = fact_status(&facts);
        let read: Vec<_> = (0..Facts::COUNT).map(|position| status_at(&packed, position)).collect();
        assert_eq!(read, facts.statuses());
        assert_eq!(status_at(&[], 3), None);
    }
}
