//! Sends a report by mail, as text and HTML in one message.

use std::time::Duration;

use lettre::message::MultiPart;
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};

use crate::config::outgoing::Mail;

/// How long the mail server may take for each step.
const PATIENCE: Duration = Duration::from_secs(30);

/// Why nothing was sent. What the server said is in it, user and password are not.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    /// `SMTP_URL` cannot be used.
    #[error("SMTP_URL is not the address of a mail server")]
    Address,
    /// The message cannot be made.
    #[error("the message cannot be made")]
    Message(#[from] lettre::error::Error),
    /// The server did not take it.
    #[error("the mail server did not take the message")]
    Refused(#[from] lettre::transport::smtp::Error),
}

/// Sends one message to all receivers; returns when the server has taken it.
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
