//! Requests that are sent again when the server is too busy.

use super::*;

/// The longest first pause, in seconds; each may be twice as long as the one before.
const PAUSE: f64 = 0.2;
/// No pause is longer, whatever the server asks for.
const LONGEST: f64 = 20.0;

impl RealHost {
    /// Sends a request as often as its patience allows. The last answer counts, whatever it is.
    pub(super) fn patiently(&self, request: &Request) -> Result<Response> {
        let Some(patience) = &request.patience else {
            return self.request(request);
        };
        let mut longest = PAUSE;
        for _ in 1..patience.tries {
            let done = self.request(request);
            let asked = match &done {
                Ok(answer) if is_busy(answer, patience) => retry_after(answer),
                Ok(_) => return done,
                Err(_) => None,
            };
            if here::stopped() {
                return done;
            }
            // Of random length: hosts that were refused together do not come back together.
            let pause = asked.unwrap_or_else(|| longest * share());
            here::sleep(pause.min(LONGEST));
            longest *= 2.0;
        }
        self.request(request)
    }
}

fn is_busy(answer: &Response, patience: &Patience) -> bool {
    let says = |body: &str| patience.words.iter().any(|w| body.contains(w.as_str()));
    matches!(answer.status, 429 | 500 | 502 | 503 | 504)
        || (answer.status >= 400 && says(&String::from_utf8_lossy(&answer.body)))
}

/// The pause that the server asks for, in seconds.
fn retry_after(answer: &Response) -> Option<f64> {
    let seconds: f64 = answer.header("retry-after")?.trim().parse().ok()?;
    (seconds >= 0.0).then_some(seconds)
}

/// A random number between a half and one.
fn share() -> f64 {
    let random = here::random_bytes(1).map_or(128, |b| b[0]);
    0.5 + f64::from(random) / 512.0
}
