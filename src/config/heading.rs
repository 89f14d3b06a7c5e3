//! The headings under which `--help` groups the variables. A command shows those that it uses.

/// Address of the server.
pub const LISTENING: &str = "Listening";
/// Connection to the database.
pub const DATABASE: &str = "Database";
/// Events between the request and the commit.
pub const INGEST: &str = "Ingest";
/// Queries and their answers.
pub const READING: &str = "Reading";
/// Age at which executions are deleted.
pub const RETENTION: &str = "Retention";
/// Limits, timeouts, trusted proxies and the admin token.
pub const PROTECTION: &str = "Protection";
/// Mail server for the weekly report.
pub const MAIL: &str = "Mail";
/// Issues on GitHub.
pub const ISSUES: &str = "Issues";
/// Log of the process.
pub const LOGGING: &str = "Logging";
