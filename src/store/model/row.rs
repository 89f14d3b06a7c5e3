//! An execution as a row of the database, one way and the other.

use sqlx::encode::{Encode, IsNull};
use sqlx::error::BoxDynError;
use sqlx::postgres::types::{PgRecordDecoder, PgRecordEncoder};
use sqlx::postgres::{PgArgumentBuffer, PgHasArrayType, PgTypeInfo, PgValueRef};
use sqlx::{Decode, Postgres, Type};
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
                let evidence: Vec<u8> = record.try_decode()?;
                let mut position = 0..;
                let facts = Facts {
                    $($field: {
                        let value: Option<$type> = record.try_decode()?;
                        match told_status(&evidence, position.next().unwrap_or_default()) {
                            Some(status) => Reported::by(status, value),
                            None => Reported::default(),
                        }
                    },)+
                };
                let signature = record.try_decode()?;
                let generation = Generation::try_from(generation)?;
                let execution =
                    Execution { key, session, generation, first_seen, last_seen, steps, facts, signature };
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
                record.encode(&evidence(&execution.facts)[..])?;
                $(record.encode(execution.facts.$field.get())?;)+
                record.encode(execution.signature)?;
                record.finish();
                Ok(IsNull::No)
            }
        }
    };
}

with_facts!(row);

/// A row as it was read: `select execution from execution`, one value of its row type.
#[derive(Clone, Debug)]
pub struct Stored {
    /// The execution.
    pub execution: Execution,
    /// The revision under which it was read.
    pub revision: i32,
    /// The outcome that stands in the row.
    pub outcome: String,
}

impl Type<Postgres> for Stored {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_name("execution")
    }
}

/// A row that is to be written, as a value of the row type of `execution`: its columns in order.
///
/// An array of these costs the database two thirds of what an array for each of the 46 columns
/// costs, which `unnest` turns into as many intermediate tables.
#[derive(Debug)]
pub(crate) struct Written<'a> {
    /// What is written.
    pub(crate) execution: &'a Execution,
    /// The revision that it becomes.
    pub(crate) revision: i32,
    /// Whether there was no row when it was looked for.
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

const EVIDENCE_BYTES: usize = Facts::COUNT.div_ceil(2);

/// Packs who told what, four bits a fact.
fn evidence(facts: &Facts) -> [u8; EVIDENCE_BYTES] {
    let mut packed = [0; EVIDENCE_BYTES];
    for (position, status) in facts.statuses().into_iter().enumerate() {
        let half = status.map_or(0, |status| status.rank() + 1);
        packed[position / 2] |= if position % 2 == 0 { half << 4 } else { half };
    }
    packed
}

fn told_status(evidence: &[u8], position: usize) -> Option<Status> {
    let byte = evidence.get(position / 2)?;
    let half = if position.is_multiple_of(2) { byte >> 4 } else { byte & 0xf };
    Status::ALL.get(usize::from(half).checked_sub(1)?).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn evidence_survives_the_way_in_and_out() {
        let facts = Facts {
            app: Reported::by(Status::Installing, Some("x".into())),
            kind: Reported::by(Status::Success, Some("lxc".into())),
            repo_slug: Reported::by(Status::Failed, Some("a/b".into())),
            ..Facts::default()
        };
        let packed = evidence(&facts);
        let read: Vec<_> = (0..Facts::COUNT).map(|position| told_status(&packed, position)).collect();
        assert_eq!(read, facts.statuses());
        assert_eq!(told_status(&[], 3), None);
    }
}
