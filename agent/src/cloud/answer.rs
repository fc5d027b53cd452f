//! What a service answered: its data, or why it refused, with advice.

use super::call::Call;
use super::xml::Element;
use crate::error::{Error, Result};
use crate::host::Response;
use std::fmt;

/// What a service answered to a call that it carried out.
#[derive(Clone, PartialEq, Eq)]
pub struct Answer(Response);

/// A body may hold a secret: its size is all that is shown.
impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Answer({}, {} bytes)", self.0.status, self.0.body.len())
    }
}

impl Answer {
    /// As XML (Query APIs, S3).
    ///
    /// # Errors
    /// When it is none.
    pub fn xml(&self) -> Result<Element> {
        Element::read(&self.0.body)
    }

    /// As JSON.
    ///
    /// # Errors
    /// When it is none. The error quotes nothing of it.
    pub fn json(&self) -> Result<serde_json::Value> {
        serde_json::from_slice(&self.0.body).map_err(|e| {
            Error::host(format!(
                "the answer is no JSON (line {}, column {})",
                e.line(),
                e.column()
            ))
        })
    }

    /// A header (name in lower case).
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.0.header(name)
    }

    /// The body.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.0.body
    }

    /// The HTTP status.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.0.status
    }
}

/// Why a service refused, in its own words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The HTTP status.
    pub status: u16,
    /// Its code (`AccessDenied`, `TargetGroupNotFound`).
    pub code: String,
    /// For people.
    pub message: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.message.is_empty() {
            true => f.write_str(&self.code),
            false => write!(f, "{}: {}", self.code, self.message),
        }
    }
}

impl std::error::Error for Fault {}

/// The code with which a service refused; nothing if the error is of another sort.
#[must_use]
pub fn code(error: &Error) -> Option<&str> {
    fault_in(error).map(|f| f.code.as_str())
}

/// Whether a service said that the caller may not do this (status 403, whatever its code).
#[must_use]
pub fn is_denied(error: &Error) -> bool {
    fault_in(error).is_some_and(|f| f.status == 403)
}

fn fault_in(error: &Error) -> Option<&Fault> {
    std::error::Error::source(error)?.downcast_ref()
}

/// What an answer to a call means.
///
/// # Errors
/// When the service refused: the error's cause is a [`Fault`], see [`code`].
pub fn judged(call: &Call, response: Response) -> Result<Answer> {
    if (200..300).contains(&response.status) || response.status == 304 {
        return Ok(Answer(response));
    }
    let fault = fault(&response);
    let service = call.service.policy;
    let mut error = Error::host(format!("{} of {service} was refused", call.action));
    for hint in advice(&fault.code, service, &call.action) {
        error = error.hint(hint);
    }
    Err(error.caused_by(fault))
}

/// `com.amazonaws.ssm#ParameterNotFound:http://…` is `ParameterNotFound`.
fn bare(code: &str) -> String {
    let code = code.split(':').next().unwrap_or_default();
    code.rsplit('#')
        .next()
        .unwrap_or_default()
        .trim()
        .to_owned()
}

/// The code and the message, in the form of whatever protocol it is.
pub(super) fn fault(response: &Response) -> Fault {
    let text = |json: &serde_json::Value, names: &[&str]| {
        let found = names.iter().find_map(|n| json[*n].as_str());
        found.unwrap_or_default().to_owned()
    };
    let mut fault = Fault {
        status: response.status,
        code: response
            .header("x-amzn-errortype")
            .map(bare)
            .unwrap_or_default(),
        message: String::new(),
    };
    if let Ok(json) = serde_json::from_slice::<serde_json::Value>(&response.body) {
        if fault.code.is_empty() {
            fault.code = bare(&text(&json, &["__type", "code", "Code", "ErrorCode"]));
        }
        fault.message = text(&json, &["message", "Message", "errorMessage"]);
    } else if let Ok(root) = Element::read(&response.body) {
        let place = if root.child("Code").is_some() {
            Some(&root)
        } else {
            root.find("Error")
        };
        if let Some(place) = place {
            fault.code = place.text_at("Code").to_owned();
            fault.message = place.text_at("Message").to_owned();
        }
    }
    if fault.code.is_empty() {
        // HEAD has no body.
        fault.code = match response.status {
            403 => "AccessDenied".into(),
            404 => "NotFound".into(),
            status => format!("status {status} {}", response.reason)
                .trim_end()
                .to_owned(),
        };
    }
    fault
}

/// What helps, for the codes that all services share ("Common errors" of their API references).
fn advice(code: &str, service: &str, action: &str) -> Vec<String> {
    let one = |text: String| vec![text];
    match code {
        "AccessDenied" | "AccessDeniedException" | "UnauthorizedOperation" | "AuthFailure" => one(format!(
            "the role lacks `{service}:{action}`: `templates/` has a policy with what lks needs"
        )),
        "ExpiredToken" | "ExpiredTokenException" | "InvalidClientTokenId" | "UnrecognizedClientException" => {
            one("the credentials are none any more: look at the instance's role, or at AWS_ACCESS_KEY_ID".into())
        }
        "RequestExpired" | "RequestTimeTooSkewed" | "SignatureDoesNotMatch" | "InvalidSignatureException" => {
            one("signatures hold for minutes: is the clock right (`timedatectl`)?".into())
        }
        code if is_throttling(code) => {
            one("it was asked again, with growing pauses, and was too busy each time".into())
        }
        _ => Vec::new(),
    }
}

/// The codes with which services say that they are asked too much (as AWS's SDKs have them).
pub(super) const THROTTLING: [&str; 12] = [
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "RequestThrottled",
    "RequestThrottledException",
    "TooManyRequestsException",
    "RequestLimitExceeded",
    "BandwidthLimitExceeded",
    "LimitExceededException",
    "PriorRequestNotComplete",
    "SlowDown",
    "TransactionInProgressException",
];

fn is_throttling(code: &str) -> bool {
    THROTTLING.contains(&code)
}
