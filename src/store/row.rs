//! An execution as a row of the database, one way and the other.

use chrono::{DateTime, Utc};
use sqlx::encode::{Encode, IsNull};
use sqlx::error::BoxDynError;
use sqlx::postgres::types::PgRecordEncoder;
use sqlx::postgres::{PgArgumentBuffer, PgHasArrayType, PgTypeInfo};
use sqlx::{PgConnection, Postgres, Type};
use telemetry_protocol::{Generation, Status};
use uuid::Uuid;

use crate::ingest::execution::{Execution, Facts, Told, with_facts};
use crate::ingest::identity::RunKey;

/// A fact as it is sent to the database: borrowed.
trait Element {
    type Borrowed<'a>
    where
        Self: 'a;
    fn element(&self) -> Self::Borrowed<'_>;
}

impl Element for String {
    type Borrowed<'a> = &'a str;
    fn element(&self) -> &str {
        self
    }
}

impl Element for i32 {
    type Borrowed<'a> = Self;
    fn element(&self) -> Self {
        *self
    }
}

impl Element for bool {
    type Borrowed<'a> = Self;
    fn element(&self) -> Self {
        *self
    }
}

macro_rules! row {
    ($($(#[$doc:meta])* $field:ident: $type:ty),+ $(,)?) => {
        /// A row of `execution`, as the queries return it.
        #[derive(Debug, sqlx::FromRow)]
        #[allow(missing_docs, reason = "every column is explained in the migration")]
        pub struct Row {
            pub run_key: Uuid,
            pub session_key: Option<Uuid>,
            pub revision: i32,
            pub generation: i16,
            pub first_seen: DateTime<Utc>,
            pub last_seen: DateTime<Utc>,
            pub installing_at: Option<DateTime<Utc>>,
            pub validation_at: Option<DateTime<Utc>>,
            pub configuring_at: Option<DateTime<Utc>>,
            pub unknown_at: Option<DateTime<Utc>>,
            pub aborted_at: Option<DateTime<Utc>>,
            pub failed_at: Option<DateTime<Utc>>,
            pub success_at: Option<DateTime<Utc>>,
            pub status: String,
            pub outcome: String,
            $(pub $field: Option<$type>,)+
            pub evidence: Vec<u8>,
        }

        impl Row {
            fn facts(self) -> Facts {
                let evidence = self.evidence;
                let mut position = 0..;
                $(let $field = match told_status(&evidence, position.next().unwrap_or_default()) {
                    Some(status) => Told::by(status, self.$field),
                    None => Told::default(),
                };)+
                Facts { $($field),+ }
            }
        }

        impl Encode<'_, Postgres> for Written<'_> {
            fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
                let Self { execution, revision } = self;
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
                $(record.encode(execution.facts.$field.get().map(Element::element))?;)+
                record.encode(&evidence(&execution.facts)[..])?;
                record.finish();
                Ok(IsNull::No)
            }
        }
    };
}

with_facts!(row);

/// A row that is to be written, as a value of the row type of `execution`: its columns in order.
///
/// An array of these costs the database half of what an array for each of the 46 columns costs,
/// which `unnest` turns into as many intermediate tables.
#[derive(Debug)]
pub(super) struct Written<'a> {
    /// What is written.
    pub(super) execution: &'a Execution,
    /// The revision that it becomes.
    pub(super) revision: i32,
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

/// Writes all rows, which are sorted by key. Returns how many were written: fewer if another
/// writer changed one of them since it was read.
///
/// # Errors
/// What the database says.
pub(super) async fn write(connection: &mut PgConnection, rows: &[Written<'_>]) -> sqlx::Result<u64> {
    let done = sqlx::query_file!("src/store/sql/write_executions.sql", rows as _).execute(connection).await?;
    Ok(done.rows_affected())
}

impl Row {
    /// The execution and the revision under which it was read.
    #[must_use]
    pub fn into_execution(self) -> (Execution, i32) {
        let revision = self.revision;
        let execution = Execution {
            key: RunKey(self.run_key),
            session: self.session_key.map(RunKey),
            generation: u8::try_from(self.generation)
                .ok()
                .and_then(|number| Generation::try_from(number).ok())
                .unwrap_or(Generation::NEWEST),
            first_seen: self.first_seen,
            last_seen: self.last_seen,
            steps: [
                self.installing_at,
                self.validation_at,
                self.configuring_at,
                self.unknown_at,
                self.aborted_at,
                self.failed_at,
                self.success_at,
            ],
            facts: self.facts(),
        };
        (execution, revision)
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
            app: Told::by(Status::Installing, Some("x".to_owned())),
            kind: Told::by(Status::Success, Some("lxc".to_owned())),
            repo_slug: Told::by(Status::Failed, Some("a/b".to_owned())),
            ..Facts::default()
        };
        let packed = evidence(&facts);
        let read: Vec<_> = (0..Facts::COUNT).map(|position| told_status(&packed, position)).collect();
        assert_eq!(read, facts.statuses());
        assert_eq!(told_status(&[], 3), None);
    }
}
