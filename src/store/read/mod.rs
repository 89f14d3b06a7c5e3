//! The queries behind every answer: rollups for every number, rows only for lists.

pub mod filter;
pub mod view;
pub mod snapshot;
pub mod runs;
pub mod known;
pub mod counts;
pub mod causes;
pub mod series;
pub mod platform_history;
pub mod records;
pub mod script;
pub mod popular;
pub mod exit_code;
pub mod signatures;
pub mod scrape_counts;
pub mod report;
