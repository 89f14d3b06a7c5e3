//! Writes the rows of a batch and the difference to the rollups in one statement.

use chrono::{DateTime, Utc};
use sqlx::encode::{Encode, IsNull};
use sqlx::error::BoxDynError;
use sqlx::postgres::types::PgRecordEncoder;
use sqlx::postgres::{PgArgumentBuffer, PgHasArrayType, PgTypeInfo};
use sqlx::{PgConnection, Postgres, Type};
use telemetry_protocol::reason::Signature;
use uuid::Uuid;

use crate::store::model::rollup::{Key, Measures, Slice};
use crate::store::model::row::Written;
use crate::store::model::templates::Template;

const SCRIPT: usize = 0;
const DURATION: usize = 1;
const FACET: usize = 2;
const EXIT_CODE: usize = 3;
const SIGNATURE: usize = 4;
const ENVIRONMENT: usize = 5;
const HOUR: usize = 6;
/// The rollups; a table and its row type have the same name.
const TABLES: [&str; 7] = [
    "rollup_script",
    "rollup_duration",
    "rollup_facet",
    "rollup_exit_code",
    "rollup_signature",
    "rollup_environment",
    "rollup_hour",
];

/// What is added to a row of the rollup `TABLES[TABLE]`, as a value of its row type: its columns in order.
#[derive(Clone, Copy, Debug)]
struct Added<'a, const TABLE: usize>(&'a Key<'a>, Measures);

impl<const TABLE: usize> Type<Postgres> for Added<'_, TABLE> {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_name(TABLES[TABLE])
    }
}

impl<const TABLE: usize> PgHasArrayType for Added<'_, TABLE> {
    fn array_type_info() -> PgTypeInfo {
        PgTypeInfo::array_of(TABLES[TABLE])
    }
}

impl<const TABLE: usize> Encode<'_, Postgres> for Added<'_, TABLE> {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        let Self(key, measures) = self;
        let mut record = PgRecordEncoder::new(buffer);
        record.encode(key.day)?.encode(key.population)?;
        match key.slice {
            Slice::Script { app, outcome, open_hour } => {
                record.encode(app)?.encode(outcome)?.encode(open_hour)?.encode(measures.runs)?;
                record.encode(measures.duration_count)?.encode(measures.duration_sum)?;
            }
            Slice::Duration { app, outcome, bucket } => {
                record.encode(app)?.encode(outcome)?.encode(bucket)?.encode(measures.runs)?;
            }
            Slice::Facet { facet, value, detail, outcome } => {
                record
                    .encode(facet)?
                    .encode(value)?
                    .encode(detail)?
                    .encode(outcome)?
                    .encode(measures.runs)?;
            }
            Slice::ExitCode { app, outcome, exit_code, category, generation } => {
                record.encode(app)?.encode(outcome)?.encode(exit_code)?.encode(category)?;
                record.encode(generation)?.encode(measures.runs)?;
            }
            Slice::Signature { app, outcome, signature } => {
                record.encode(app)?.encode(outcome)?.encode(signature)?.encode(measures.runs)?;
            }
            Slice::Environment { app, property, value, detail, outcome, retry } => {
                record.encode(app)?.encode(property)?.encode(value)?.encode(detail)?;
                record.encode(outcome)?.encode(retry)?.encode(measures.runs)?;
            }
            Slice::Hour { hour, outcome } => {
                record.encode(hour)?.encode(outcome)?.encode(measures.runs)?;
            }
        }
        record.finish();
        Ok(IsNull::No)
    }
}

/// Writes rows, sorted by key, adds to the rollups, and stores templates, sorted by id. Either everything is written
/// or nothing. `arrivals` are the keys of the events behind the rows and when they arrived: none of them may have been
/// erased since.
///
/// # Errors
/// Any error from the database; SQLSTATE 40001 if another writer changed or deleted one of the rows after it was read,
/// if an event has been erased, or if a population of the rollups has been deleted.
pub(crate) async fn write(
    connection: &mut PgConnection,
    rows: &[Written<'_>],
    additions: &[(Key<'_>, Measures)],
    templates: &[Template],
    arrivals: &[(Uuid, DateTime<Utc>)],
) -> sqlx::Result<()> {
    let mut scripts = Vec::<Added<'_, SCRIPT>>::new();
    let mut durations = Vec::<Added<'_, DURATION>>::new();
    let mut facets = Vec::<Added<'_, FACET>>::new();
    let mut exit_codes = Vec::<Added<'_, EXIT_CODE>>::new();
    let mut signatures = Vec::<Added<'_, SIGNATURE>>::new();
    let mut environments = Vec::<Added<'_, ENVIRONMENT>>::new();
    let mut hours = Vec::<Added<'_, HOUR>>::new();
    for (key, measures) in additions {
        match key.slice {
            Slice::Script { .. } => scripts.push(Added(key, *measures)),
            Slice::Duration { .. } => durations.push(Added(key, *measures)),
            Slice::Facet { .. } => facets.push(Added(key, *measures)),
            Slice::ExitCode { .. } => exit_codes.push(Added(key, *measures)),
            Slice::Signature { .. } => signatures.push(Added(key, *measures)),
            Slice::Environment { .. } => environments.push(Added(key, *measures)),
            Slice::Hour { .. } => hours.push(Added(key, *measures)),
        }
    }
    let new_rows = rows.iter().filter(|row| row.is_new).count();
    // A row whose counts stay as they are may still have joined a session.
    let counted = additions.iter().map(|(key, _)| key.day);
    let mut days: Vec<_> =
        rows.iter().map(|row| row.execution.first_seen.date_naive()).chain(counted).collect();
    days.sort_unstable();
    days.dedup();
    let mut populations: Vec<_> = additions.iter().map(|(key, _)| key.population).collect();
    populations.sort_unstable();
    populations.dedup();
    let (keys, arrivals): (Vec<_>, Vec<_>) = arrivals.iter().copied().unzip();
    let template_ids: Vec<_> = templates.iter().map(|template| template.signature.id).collect();
    let texts = |text: fn(&Signature) -> &str| -> Vec<_> {
        templates.iter().map(|template| text(&template.signature)).collect()
    };
    let reasons: Vec<_> = templates.iter().map(|template| template.signature.rule).collect();
    let subjects: Vec<_> = templates.iter().map(|template| template.subject.as_deref()).collect();
    sqlx::query_file!(
        "src/store/sql/write/write_batch.sql",
        rows as _,
        i64::try_from(rows.len()).unwrap_or(i64::MAX),
        i64::try_from(new_rows).unwrap_or(i64::MAX),
        scripts as _,
        durations as _,
        facets as _,
        exit_codes as _,
        signatures as _,
        environments as _,
        hours as _,
        &days,
        &keys,
        &arrivals,
        &populations,
        &template_ids,
        &texts(|signature| &signature.template) as _,
        &reasons as _,
        &subjects as _,
        &texts(|signature| signature.category.as_str()) as _,
        &texts(|signature| signature.blame.as_str()) as _
    )
    .fetch_one(connection)
    .await
    .map(drop)
}
