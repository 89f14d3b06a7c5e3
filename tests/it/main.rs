//! The end-to-end tests, one module a theme, in one program: it is linked once.

mod common;

mod admin;
mod alerting;
mod answers;
mod api;
mod batch;
mod dashboard_types;
mod dashboards;
mod database_url;
mod embedded;
mod grafana_role;
mod host_client;
mod hostile;
mod insight;
mod issues;
mod keeping;
mod limits;
mod merge_properties;
mod one_definition;
mod openapi;
mod privacy;
mod process;
mod public_view;
mod reading;
mod reasons;
mod regressions;
mod report;
mod secrecy;
mod monthly_sums;
mod seeding;
mod sessions;
mod tidy;
mod upgrade;
mod wire_replay;
mod writing;
