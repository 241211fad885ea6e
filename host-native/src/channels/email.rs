//! Mail, handed to a server over SMTP.

use crate::{
    channels::{
        notification::Notification,
        outcome::{Outcome, reasons},
        secret::Secret,
        text::hex,
        url::split_user,
    },
    exit::{Code, Failure},
    links::{bare, tls::Dialling},
};
use axum::http::Uri;
use lettre::{
    AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor,
    message::{
        Mailbox,
        header::{ContentType, HeaderName, HeaderValue},
    },
    transport::smtp::{
        authentication::Credentials,
        client::{Certificate, Tls, TlsParameters},
    },
};
use ring::digest;
use std::{net::IpAddr, time::Duration};

/// Where mail is handed in by default (RFC 6409), and over TLS from the first byte (RFC 8314).
const PORTS: (u16, u16) = (587, 465);

/// A server that takes mail.
#[derive(Clone, Debug)]
pub(crate) struct MailServer {
    host: String,
    port: u16,
    /// TLS from the first byte.
    is_wrapped: bool,
    /// The user's name and password.
    pub(super) user: Option<(String, Secret)>,
}

impl MailServer {
    /// Reads `smtp://user@host:587`, the password from elsewhere.
    ///
    /// # Errors
    /// What is allowed. The text itself is not in it.
    pub(super) fn read(text: &str, password: Option<Secret>) -> Result<Self, String> {
        let wrong = || {
            Err(
                "is no mail server; write one such as smtp://user@mail.example.org:587 or \
                 smtps://mail.example.org"
                    .to_owned(),
            )
        };
        let Ok(uri) = text.trim().parse::<Uri>() else {
            return wrong();
        };
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return wrong();
        };
        let is_wrapped = scheme == "smtps";
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let is_known = is_wrapped || scheme == "smtp";
        if !is_known || authority.host().is_empty() || !matches!(path, "" | "/") {
            return wrong();
        }
        let (user, host) = split_user(authority.as_str());
        let named = host.get(authority.host().len()..).unwrap_or_default();
        let port = match named.strip_prefix(':').map(str::parse::<u16>) {
            None if is_wrapped => PORTS.1,
            None => PORTS.0,
            Some(Ok(port)) if port > 0 => port,
            Some(_) => return wrong(),
        };
        let user = match (user, password) {
            (None, None) => None,
            (Some((user, Some(password))), None) | (Some((user, None)), Some(password)) => {
                Some((user, password))
            }
            (Some((_, None)), None) => {
                return Err(
                    "names a user; put the password into a file, and name it with \
                            `secret_file`"
                        .to_owned(),
                );
            }
            (None, Some(_)) => {
                return Err(
                    "names no user, but `secret_file` holds a password; write smtp://user@host"
                        .to_owned(),
                );
            }
            (Some((_, Some(_))), Some(_)) => {
                return Err("holds a password, and `secret_file` another; keep the file".to_owned());
            }
        };
        Ok(Self {
            host: bare(authority.host()).to_owned(),
            port,
            is_wrapped,
            user,
        })
    }

    /// What may be shown of it.
    pub(super) fn shown(&self) -> String {
        let scheme = if self.is_wrapped { "smtps" } else { "smtp" };
        let host = if self.host.contains(':') {
            format!("[{}]", self.host)
        } else {
            self.host.clone()
        };
        format!("{scheme}://{host}:{}", self.port)
    }

    /// A password goes over TLS only, except to this machine.
    fn wants_tls(&self) -> bool {
        let ip = self.host.parse::<IpAddr>();
        let is_here = self.host == "localhost" || ip.is_ok_and(|ip| ip.is_loopback());
        self.user.is_some() && !is_here
    }
}

/// Hands mail to a server.
#[derive(Debug)]
pub(super) struct Mailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    to: Vec<Mailbox>,
}

impl Mailer {
    /// A mailer that gives a server so long for each step.
    ///
    /// # Errors
    /// When TLS can't be set up.
    pub(super) fn new(
        server: &MailServer,
        from: &Mailbox,
        to: &[Mailbox],
        dialling: &Dialling,
        patience: Duration,
    ) -> Result<Self, Failure> {
        let failed = |error: lettre::transport::smtp::Error| {
            Failure::new(
                Code::Config,
                format!("no TLS for {}: {}", server.shown(), reasons(&error)),
            )
        };
        let mut parameters = TlsParameters::builder(server.host.clone());
        for authority in dialling.more() {
            let certificate = Certificate::from_der(authority.to_vec()).map_err(failed)?;
            parameters = parameters.add_root_certificate(certificate);
        }
        let parameters = parameters.build().map_err(failed)?;
        let tls = if server.is_wrapped {
            Tls::Wrapper(parameters)
        } else if server.wants_tls() {
            Tls::Required(parameters)
        } else {
            Tls::Opportunistic(parameters)
        };
        let mut builder =
            AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(server.host.clone())
                .port(server.port)
                .tls(tls)
                .timeout(Some(patience));
        if let Some((user, password)) = &server.user {
            let password = password.expose().to_owned();
            builder = builder.credentials(Credentials::new(user.clone(), password));
        }
        Ok(Self {
            transport: builder.build(),
            from: from.clone(),
            to: to.to_vec(),
        })
    }

    /// Hands a mail in.
    pub(super) async fn send(&self, notification: &Notification) -> Outcome {
        let mail = match message(&self.from, &self.to, notification) {
            Ok(mail) => mail,
            Err(error) => return Outcome::Never(reasons(&error)),
        };
        match self.transport.send(mail).await {
            Ok(answer) => {
                let said: Vec<&str> = answer.message().collect();
                Outcome::Told(format!("{} {}", answer.code(), said.join(" ")))
            }
            // A client error is about what the server can't do, such as TLS.
            Err(error) if error.is_permanent() || error.is_client() => {
                Outcome::Never(reasons(&error))
            }
            Err(error) => Outcome::Later {
                error: reasons(&error),
                wait: None,
            },
        }
    }
}

/// The mail. Its id comes from the key, so a mail that arrives twice is one in the mailbox; the mails of
/// one incident make one thread. Nobody's "I am away" answers it (RFC 3834).
fn message(
    from: &Mailbox,
    to: &[Mailbox],
    notification: &Notification,
) -> Result<Message, lettre::error::Error> {
    let thread = id("incident", &notification.incident, from);
    let automatic = HeaderName::new_from_ascii_str("Auto-Submitted");
    let builder = to
        .iter()
        .fold(Message::builder().from(from.clone()), |mail, to| {
            mail.to(to.clone())
        });
    builder
        .subject(notification.headline())
        .message_id(Some(id("key", &notification.key, from)))
        .references(thread)
        .raw_header(HeaderValue::new(automatic, "auto-generated".to_owned()))
        .header(ContentType::TEXT_PLAIN)
        .body(format!("{}\n", notification.text()))
}

/// A message id of a text of any form.
fn id(kind: &str, text: &str, from: &Mailbox) -> String {
    let digest = digest::digest(&digest::SHA256, format!("{kind}:{text}").as_bytes());
    let digits: String = hex(digest.as_ref()).chars().take(32).collect();
    format!("<{digits}@{}>", from.email.domain())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channels::text::tests::sample;

    fn password() -> Option<Secret> {
        Some(Secret::new("hunter2".to_owned()))
    }

    fn mail(notification: &Notification) -> String {
        let from = "Mesh <mesh@example.org>".parse().unwrap();
        let to = ["ops@example.org".parse().unwrap()];
        String::from_utf8(message(&from, &to, notification).unwrap().formatted()).unwrap()
    }

    fn header<'a>(mail: &'a str, name: &str) -> &'a str {
        let found = mail.lines().find_map(|line| line.strip_prefix(name));
        found.unwrap_or_else(|| panic!("no {name} in {mail}"))
    }

    #[test]
    fn servers_are_read_as_people_write_them() {
        let shown =
            |text: &str, password| MailServer::read(text, password).map(|server| server.shown());
        for (text, expected) in [
            ("smtp://mail.example.org", "smtp://mail.example.org:587"),
            ("smtps://mail.example.org/", "smtps://mail.example.org:465"),
            ("smtp://[::1]:2525", "smtp://[::1]:2525"),
        ] {
            assert_eq!(shown(text, None).as_deref(), Ok(expected));
        }
        let server = MailServer::read("smtp://me%40a.org@mail:25", password()).unwrap();
        assert_eq!(server.user.as_ref().unwrap().0, "me@a.org");
        for text in [
            "mail:25",
            "http://mail",
            "smtp://",
            "smtp://a:0",
            "smtp://a:x",
            "smtp://a/b",
        ] {
            assert!(shown(text, None).is_err(), "{text}");
        }
        let why = |text: &str, password| shown(text, password).unwrap_err();
        assert!(why("smtp://me@a", None).contains("secret_file"));
        assert!(why("smtp://a", password()).contains("no user"));
        let twice = why("smtp://me:other@a", password());
        assert!(
            twice.contains("keep the file") && !twice.contains("other@"),
            "{twice}"
        );
    }

    #[test]
    fn a_password_leaves_this_machine_over_tls_only() {
        let wants = |text: &str, password| MailServer::read(text, password).unwrap().wants_tls();
        assert!(wants("smtp://me@mail.example.org", password()));
        assert!(!wants("smtp://me@127.0.0.1", password()));
        assert!(!wants("smtp://mail.example.org", None));
    }

    #[test]
    fn a_mail_that_is_sent_again_is_the_same_mail() {
        let first = mail(&sample());
        let again = mail(&sample());
        assert_eq!(
            header(&first, "Message-ID: "),
            header(&again, "Message-ID: ")
        );
        assert!(header(&first, "Message-ID: ").ends_with("@example.org>"));
        assert_eq!(header(&first, "Auto-Submitted: "), "auto-generated");
        let mut next = sample();
        next.key = "i7/resolved/ops".to_owned();
        let next = mail(&next);
        assert_ne!(
            header(&first, "Message-ID: "),
            header(&next, "Message-ID: ")
        );
        assert_eq!(
            header(&first, "References: "),
            header(&next, "References: ")
        );
    }

    #[test]
    fn a_title_can_add_no_header() {
        let mut notification = sample();
        notification.title = "x\r\nBcc: eve@example.org".to_owned();
        assert!(!mail(&notification).contains("\nBcc:"));
    }
}
