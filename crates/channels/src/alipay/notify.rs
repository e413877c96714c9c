//! Reads notifications (specs/channels.md §1.11). Pure, and total on arbitrary bytes.

use domain::channel::{News, Notice, NoticeError, RawNotice};
use domain::text::ChannelNumber;
use domain::time::Timestamp;

use super::proof::proof;
use super::settings::Settings;

/// No notice of Alipay's is nearly as long.
const BODY_BYTES_MAX: usize = 64 * 1024;
const NOTICE_ID_BYTES_MAX: usize = 128;

/// Verifies and reads one.
pub(super) fn read(raw: RawNotice<'_>, settings: &Settings) -> Result<Notice, NoticeError> {
    if raw.body.len() > BODY_BYTES_MAX {
        return Err(NoticeError::Garbled);
    }
    let form = Form::read(raw.body)?;
    form.check_signature(settings)?;
    if !form.is_for(settings) {
        return Err(NoticeError::NotOurs);
    }
    let number = form.needed("out_trade_no")?;
    let number = ChannelNumber::parse(number).map_err(|_| NoticeError::Garbled)?;
    let notice_id = form.needed("notify_id")?;
    if notice_id.len() > NOTICE_ID_BYTES_MAX {
        return Err(NoticeError::Garbled);
    }
    let notice_id = notice_id.into();
    Ok(Notice { number, news: form.news()?, notice_id })
}

/// The fields as received: decoded, otherwise untouched, for the signature covers them so.
struct Form(Vec<(String, String)>);

impl Form {
    fn read(body: &[u8]) -> Result<Form, NoticeError> {
        let mut fields: Vec<(String, String)> = form_urlencoded::parse(body).into_owned().collect();
        fields.sort_unstable();
        // Which of two would count is anybody's guess.
        let twice = fields.windows(2).any(|pair| pair[0].0 == pair[1].0);
        if fields.is_empty() || twice { Err(NoticeError::Garbled) } else { Ok(Form(fields)) }
    }

    /// A field; an empty one counts as absent.
    fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str());
        found.filter(|value| !value.is_empty())
    }

    fn needed(&self, name: &str) -> Result<&str, NoticeError> {
        self.get(name).ok_or(NoticeError::Garbled)
    }

    fn check_signature(&self, settings: &Settings) -> Result<(), NoticeError> {
        let signature = self.get("sign").ok_or(NoticeError::BadSignature)?;
        if self.get("sign_type") != Some("RSA2") {
            return Err(NoticeError::BadSignature);
        }
        let fields = self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let texts = sign::alipay::notice_texts(fields);
        if texts.iter().any(|text| settings.is_signed(text, signature)) {
            Ok(())
        } else {
            Err(NoticeError::BadSignature)
        }
    }

    /// Whether it is about our application and our money. At least one of the two names of the
    /// account must be there, and whichever is must be ours.
    fn is_for(&self, settings: &Settings) -> bool {
        let id = self.get("seller_id").map(|id| id == settings.account());
        let email = settings.seller_email.as_deref();
        let email = self.get("seller_email").and_then(|theirs| Some(theirs == email?));
        self.get("app_id") == Some(&*settings.app_id)
            && match (id, email) {
                (None, None) => false,
                (id, email) => id.unwrap_or(true) && email.unwrap_or(true),
            }
    }

    fn news(&self) -> Result<News, NoticeError> {
        if self.get("notify_type").is_some_and(|kind| kind != "trade_status_sync") {
            return Ok(News::Nothing);
        }
        match self.needed("trade_status")? {
            // A refund is told with the state in which it left the trade.
            "TRADE_SUCCESS" | "TRADE_FINISHED" | "TRADE_CLOSED" if self.tells_of_refund() => {
                Ok(self.refund().map_or(News::Nothing, |refund| News::Refunded { refund }))
            }
            "TRADE_SUCCESS" | "TRADE_FINISHED" => {
                let told = self.get("notify_time").and_then(Timestamp::from_china_text);
                let proof = proof(|name| self.get(name).map(str::to_owned), told);
                proof.map(News::Paid).ok_or(NoticeError::Garbled)
            }
            "TRADE_CLOSED" => Ok(News::Closed),
            _ => Ok(News::Nothing),
        }
    }

    fn tells_of_refund(&self) -> bool {
        let fee = self.get("refund_fee").is_some_and(|fee| fee.bytes().any(|b| b > b'0'));
        fee || self.get("out_biz_no").is_some() || self.get("gmt_refund").is_some()
    }

    /// Our number of the refund. A refund that somebody made at Alipay itself has none of ours.
    fn refund(&self) -> Option<ChannelNumber> {
        ChannelNumber::parse(self.get("out_biz_no")?).ok()
    }
}
