//! Plays the payer at a simulator: opens the trade as the payer's device would, then tells the
//! simulator's control API what the payer does. Real gateways have no such API.

use domain::channel::PayerDeed;
use domain::operation::{ChannelRefusal, Outcome, RefusalClass};
use domain::payment::Credential;
use domain::text::ChannelNumber;
use reqwest::RequestBuilder;
use reqwest::header::CONTENT_TYPE;

use super::Alipay;
use super::answer::Failure;
use super::request::FORM;
use crate::http;

impl Alipay {
    pub(super) async fn play(
        &self,
        control_url: &str,
        number: &ChannelNumber,
        credential: &Credential,
        deed: PayerDeed,
    ) -> Outcome<()> {
        let opening = match credential {
            Credential::Page(url) => Some(self.client.get(&**url)),
            Credential::OrderString(text) => {
                let post = self.client.post(&self.settings.gateway_url);
                Some(post.header(CONTENT_TYPE, FORM).body(String::from(text.clone())))
            }
            // A code is scanned by the deed itself; a trade exists already.
            Credential::Qr(_) | Credential::Trade(_) | Credential::Nothing => None,
        };
        if let Some(opening) = opening
            && let Err(trouble) = self.run(opening).await
        {
            return trouble;
        }
        let word = match deed {
            PayerDeed::Pay => "pay",
            PayerDeed::Fail => "fail",
        };
        // Numbers of apps and payments hold nothing that JSON would escape.
        let order = format!(r#"{{"do":"{word}","app_id":"{}"}}"#, self.settings.app_id);
        let deed = self.client.post(format!("{control_url}/trades/{number}"));
        match self.run(deed.header(CONTENT_TYPE, "application/json").body(order)).await {
            Ok(()) => Outcome::Accepted(()),
            Err(trouble) => trouble,
        }
    }

    async fn run(&self, request: RequestBuilder) -> Result<(), Outcome<()>> {
        let reply = http::exchange(request, self.limits).await;
        let reply = reply.map_err(|trouble| Failure::of(trouble).outcome())?;
        let refusal = |why, message: &str| ChannelRefusal {
            why,
            code: format!("http_{}", reply.status).into(),
            message: message.into(),
        };
        match reply.status {
            200..400 => Ok(()),
            404 => Err(Outcome::Refused(refusal(
                RefusalClass::NotFound,
                "the simulator knows no such trade",
            ))),
            400..500 => Err(Outcome::Refused(refusal(
                RefusalClass::Business,
                "the simulator does not allow this now",
            ))),
            _ => Err(Outcome::Unknown(refusal(RefusalClass::Busy, "the simulator is broken"))),
        }
    }
}
