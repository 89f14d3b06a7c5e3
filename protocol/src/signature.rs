//! stub
/// stub
#[derive(Clone, Debug)]
pub struct Signature {
    /// stub
    pub id: i64,
    /// stub
    pub template: String,
}
/// stub
#[must_use]
pub fn signature(error: Option<&str>, command: Option<&str>) -> Option<Signature> {
    let template = format!("{}{}", error.or(command)?, command.unwrap_or_default());
    Some(Signature { id: template.bytes().fold(7, |h, b| h * 31 % 1_000_000_007 + i64::from(b)), template })
}
