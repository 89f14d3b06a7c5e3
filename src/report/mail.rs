//! Sends the report by mail, as a message with a text part and an HTML part.

use std::time::Duration;

use lettre::message::MultiPart;
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};

use crate::config::outgoing::Mail;

/// Timeout of each step of the SMTP session.
const PATIENCE: Duration = Duration::from_secs(30);

/// Why a mail was not sent. Contains the response of the mail server, but neither user nor password.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    /// `SMTP_URL` is invalid.
    #[error("SMTP_URL is not the address of a mail server")]
    Address,
    /// The message cannot be composed.
    #[error("cannot compose the message")]
    Message(#[from] lettre::error::Error),
    /// The mail server did not accept the message.
    #[error("the mail server did not accept the message")]
    Refused(#[from] lettre::transport::smtp::Error),
}

/// Sends one message to all recipients. Returns when the mail server has accepted it.
///
/// # Errors
/// [`MailError`].
pub async fn send(mail: &Mail, subject: &str, text: String, html: String) -> Result<(), MailError> {
    let message = mail
        .to
        .iter()
        .cloned()
        .fold(Message::builder().from(mail.from.clone()), |message, to| message.to(to));
    let message = message.subject(subject).multipart(MultiPart::alternative_plain_html(text, html))?;
    let transport = AsyncSmtpTransport::<Tokio1Executor>::from_url(mail.url.reveal());
    let transport = transport.map_err(|_| MailError::Address)?.timeout(Some(PATIENCE)).build();
    transport.send(message).await?;
    Ok(())
}
