//! The read side: rollups for every number, rows only for lists.

pub mod snapshot;
pub mod counts;
pub mod causes;
pub mod models;
pub mod records;
pub mod insight;
pub mod years;
pub mod scrape_counts;
pub mod report;
