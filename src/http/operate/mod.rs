//! Endpoints for operators: health, metrics, status, prefilled issues, and the description of the API.

pub mod health;
pub mod metrics_endpoint;
pub mod admin;
pub mod issues;
pub mod triage;
pub mod openapi;
pub mod docs;
