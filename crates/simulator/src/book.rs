//! The channel's book: every app, trade, fault and open notification, in memory and on disk.
//!
//! Each change is written first and remembered after, so a failing disk leaves nothing half done.
//! It lives behind one mutex; nothing here waits for the network.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use domain::ambient::{Entropy, random_alphanumeric, random_digits};
use domain::time::Timestamp;
use serde::{Deserialize, Serialize};
use sign::rsa::{PrivateKey, PublicKey};

use crate::app::App;
use crate::bill::{BillOf, TICKET_MICROS};
use crate::content::Content;
use crate::disk::{Disk, OpenDiskError};
use crate::faults::{AnswerFault, Faults};
use crate::notice::{self, Notice};
use crate::outbox::Outbox;
use crate::refusal::Refusal;
use crate::settings::MerchantApp;
use crate::trade::{News, OpenedBy, State, Trade};

const KEY_SETTING: &str = "alipay_private_key";

/// Seller and number: what a trade, or its faults, are known by.
type Number = (String, String);

/// See the module header.
pub(crate) struct Book {
    disk: Disk,
    key: PrivateKey,
    apps: HashMap<String, Arc<App>>,
    trades: BTreeMap<u64, Trade>,
    last_trade: u64,
    by_number: HashMap<Number, u64>,
    by_trade_no: HashMap<String, u64>,
    by_token: HashMap<String, u64>,
    /// When each waiting trade closes.
    expiries: BTreeSet<(i64, u64)>,
    /// Under an empty seller: faults of a number that no trade bears yet.
    faults: HashMap<Number, Faults>,
    pub outbox: Outbox,
    /// Download addresses by ticket, with the instant when they stop working.
    bills: HashMap<String, (BillOf, i64)>,
}

/// What a merchant asks for when it opens a trade.
pub(crate) struct NewTrade<'a> {
    pub opened_by: OpenedBy,
    pub content: &'a Content,
    pub notify_url: Option<String>,
    pub return_url: Option<String>,
}

/// The system's generator, for names nobody should guess.
struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn fill(&self, buffer: &mut [u8]) {
        sign::random::fill(buffer);
    }
}

#[derive(Serialize, Deserialize)]
struct StoredApp {
    app_id: String,
    seller_id: String,
    seller_email: String,
    public_key: String,
}

impl Book {
    /// Opens the book, makes the channel's key on the first day, and reads everything back.
    pub fn open(folder: Option<&std::path::Path>) -> Result<Book, OpenBookError> {
        let disk = Disk::open(folder)?;
        let key = match disk.setting(KEY_SETTING).map_err(OpenDiskError::from)? {
            Some(pem) => PrivateKey::from_pem(&pem).map_err(|_| OpenBookError::Key)?,
            None => {
                let key = PrivateKey::generate();
                disk.set(KEY_SETTING, &key.to_pkcs8_pem()).map_err(OpenDiskError::from)?;
                key
            }
        };
        let mut book = Book {
            disk,
            key,
            apps: HashMap::new(),
            trades: BTreeMap::new(),
            last_trade: 0,
            by_number: HashMap::new(),
            by_trade_no: HashMap::new(),
            by_token: HashMap::new(),
            expiries: BTreeSet::new(),
            faults: HashMap::new(),
            outbox: Outbox::default(),
            bills: HashMap::new(),
        };
        book.read_back()?;
        Ok(book)
    }

    fn read_back(&mut self) -> Result<(), OpenBookError> {
        for stored in self.disk.apps::<StoredApp>().map_err(OpenDiskError::from)? {
            self.know(MerchantApp {
                app_public_key: PublicKey::from_base64_der(&stored.public_key)
                    .map_err(|_| OpenBookError::Key)?,
                app_id: stored.app_id,
                seller_id: stored.seller_id,
                seller_email: stored.seller_email,
                certificates: None,
            })?;
        }
        for (id, trade) in self.disk.trades().map_err(OpenDiskError::from)? {
            self.remember(id, trade);
        }
        for (id, notice) in self.disk.notices().map_err(OpenDiskError::from)? {
            self.outbox.put(id, notice);
        }
        self.faults = self.disk.faults().map_err(OpenDiskError::from)?.into_iter().collect();
        Ok(())
    }

    /// The channel's own key.
    pub fn key(&self) -> &PrivateKey {
        &self.key
    }

    /// Adds or replaces an app until the book is closed.
    pub fn know(&mut self, merchant: MerchantApp) -> Result<(), OpenBookError> {
        let app = App::new(merchant, &self.key).map_err(|_| OpenBookError::Certificate)?;
        self.apps.insert(app.merchant.app_id.clone(), Arc::new(app));
        Ok(())
    }

    /// Adds or replaces an app and keeps it, unless it is in certificate mode.
    pub fn register(&mut self, merchant: MerchantApp) -> Result<(), OpenBookError> {
        if merchant.certificates.is_none() {
            let stored = StoredApp {
                app_id: merchant.app_id.clone(),
                seller_id: merchant.seller_id.clone(),
                seller_email: merchant.seller_email.clone(),
                public_key: merchant.app_public_key.to_spki_base64(),
            };
            self.disk.save_app(&merchant.app_id, &stored).map_err(OpenDiskError::from)?;
        }
        self.know(merchant)
    }

    /// The app of this id.
    pub fn app(&self, app_id: &str) -> Option<Arc<App>> {
        self.apps.get(app_id).cloned()
    }

    /// Every app, by id.
    pub fn apps(&self) -> Vec<Arc<App>> {
        let mut apps: Vec<_> = self.apps.values().cloned().collect();
        apps.sort_by(|a, b| a.merchant.app_id.cmp(&b.merchant.app_id));
        apps
    }

    /// Every trade and code with its number, oldest first.
    pub fn trades(&self) -> impl Iterator<Item = (u64, &Trade)> {
        self.trades.iter().map(|(id, trade)| (*id, trade))
    }

    /// The newest trades and codes, newest first.
    pub fn newest(&self, max: usize) -> impl Iterator<Item = &Trade> {
        self.trades.values().rev().take(max)
    }

    /// Finds a trade or code by the seller's number.
    pub fn find(&self, seller_id: &str, out_trade_no: &str) -> Option<u64> {
        self.by_number.get(&(seller_id.to_owned(), out_trade_no.to_owned())).copied()
    }

    /// Finds a seller's trade by the channel's number.
    pub fn find_by_trade_no(&self, seller_id: &str, trade_no: &str) -> Option<u64> {
        let id = *self.by_trade_no.get(trade_no)?;
        self.trades.get(&id).filter(|trade| trade.seller_id == seller_id).map(|_| id)
    }

    /// Finds a trade or code by its cashier page.
    pub fn find_by_token(&self, token: &str) -> Option<u64> {
        self.by_token.get(token).copied()
    }

    /// Every trade with this number, over all sellers.
    pub fn find_everywhere(&self, out_trade_no: &str) -> Vec<u64> {
        let mut sellers: Vec<&str> =
            self.apps.values().map(|app| app.merchant.seller_id.as_str()).collect();
        sellers.sort_unstable();
        sellers.dedup();
        sellers.into_iter().filter_map(|seller| self.find(seller, out_trade_no)).collect()
    }

    /// The trade as it was last left, perhaps overdue.
    pub fn known(&self, id: u64) -> Option<&Trade> {
        self.trades.get(&id)
    }

    /// The trade as of now: an overdue one is closed first.
    pub fn trade(&mut self, id: u64, now: i64) -> Result<&Trade, Refusal> {
        let trade = self.trades.get(&id).ok_or(Refusal::TRADE_NOT_EXIST)?;
        if trade.is_overdue(now) {
            let mut trade = trade.clone();
            let news = trade.expire();
            self.store(id, trade, &news, now)?;
        }
        self.trades.get(&id).ok_or(Refusal::TRADE_NOT_EXIST)
    }

    /// Changes a trade by an act that either happens whole, news included, or not at all.
    pub fn change<T>(
        &mut self,
        id: u64,
        now: i64,
        act: impl FnOnce(&mut Trade) -> Result<(T, Vec<News>), Refusal>,
    ) -> Result<T, Refusal> {
        let before = self.trade(id, now)?.clone();
        let mut trade = before.clone();
        let (value, news) = act(&mut trade)?;
        if trade != before || !news.is_empty() {
            self.store(id, trade, &news, now)?;
        }
        Ok(value)
    }

    /// Opens a trade, or finds the one that the same data opened before.
    pub fn open_trade(&mut self, app: &App, new: NewTrade<'_>, now: i64) -> Result<u64, Refusal> {
        let content = new.content;
        let number = content.required("out_trade_no", 64)?;
        let total_fen = content.total_fen()?;
        let subject = content.required("subject", 256)?;
        if let Some(id) = self.find(&app.merchant.seller_id, &number) {
            self.reopen_trade(id, total_fen, &subject, new, now)?;
            return Ok(id);
        }
        let state = match new.opened_by {
            OpenedBy::Precreate => State::Coded { code_expires_at: content.code_expires_at(now)? },
            OpenedBy::PagePay
            | OpenedBy::WapPay
            | OpenedBy::AppPay
            | OpenedBy::Create
            | OpenedBy::ScanPay => State::Waiting,
        };
        let trade = Trade {
            app_id: app.merchant.app_id.clone(),
            seller_id: app.merchant.seller_id.clone(),
            out_trade_no: number,
            trade_no: new_trade_no(now),
            token: random_alphanumeric(&SystemEntropy, 32),
            opened_by: new.opened_by,
            total_fen,
            subject,
            body: content.text("body", 400)?,
            passback_params: content.text("passback_params", 512)?,
            notify_url: new.notify_url,
            return_url: new.return_url,
            quit_url: content.text("quit_url", 400)?,
            created_at: now,
            expires_at: content.expires_at(now)?,
            state,
            refunds: Vec::new(),
            refuses_refunds: false,
            last_try: None,
        };
        let id = self.last_trade + 1;
        self.store(id, trade, &[], now)?;
        Ok(id)
    }

    fn reopen_trade(
        &mut self,
        id: u64,
        total_fen: i64,
        subject: &str,
        new: NewTrade<'_>,
        now: i64,
    ) -> Result<(), Refusal> {
        let code_expires_at = new.content.code_expires_at(now)?;
        let expires_at = new.content.expires_at(now);
        self.change(id, now, |trade| {
            match trade.state {
                State::Paid { .. } | State::Finished { .. } => {
                    return Err(Refusal::TRADE_HAS_SUCCESS);
                }
                State::Refunded { .. } | State::Closed { .. } => {
                    return Err(Refusal::TRADE_HAS_CLOSE);
                }
                State::Coded { .. } | State::Waiting => {}
            }
            if trade.total_fen != total_fen || trade.subject != subject {
                return Err(Refusal::CONTEXT_INCONSISTENT);
            }
            if let State::Coded { code_expires_at: old } = trade.state {
                if new.opened_by != OpenedBy::Precreate {
                    trade.state = State::Waiting;
                    trade.opened_by = new.opened_by;
                    trade.created_at = now;
                } else if now >= old.min(trade.expires_at) {
                    // The old code is dead; the same number may be asked for again.
                    trade.state = State::Coded { code_expires_at };
                    trade.expires_at = expires_at?;
                    trade.token = random_alphanumeric(&SystemEntropy, 32);
                }
            }
            trade.notify_url = new.notify_url.or(trade.notify_url.take());
            trade.return_url = new.return_url.or(trade.return_url.take());
            Ok(((), Vec::new()))
        })
    }

    /// Forgets a code that nobody has scanned.
    pub fn forget_code(&mut self, id: u64) -> Result<(), Refusal> {
        self.disk.forget_trade(id)?;
        if let Some(trade) = self.trades.remove(&id) {
            self.by_number.remove(&(trade.seller_id, trade.out_trade_no));
            self.by_trade_no.remove(&trade.trade_no);
            self.by_token.remove(&trade.token);
        }
        Ok(())
    }

    /// Closes every trade whose time is over.
    pub fn expire_due(&mut self, now: i64) {
        while let Some((at, id)) = self.expiries.first().copied()
            && at <= now
        {
            // `trade` closes it, which takes it out of the set; if the disk refuses, give up.
            if self.trade(id, now).is_err() {
                break;
            }
        }
    }

    /// Sends the latest news of a trade again: open notices at once, or else a new one.
    pub fn notify_again(&mut self, id: u64, now: i64) -> Result<(), Refusal> {
        let open: Vec<_> =
            self.outbox.of_trade(id).map(|(number, notice)| (number, notice.clone())).collect();
        if open.is_empty() {
            return self.change(id, now, |trade| {
                let news = trade.latest_news().ok_or(Refusal::TRADE_STATUS_ERROR)?;
                Ok(((), vec![news]))
            });
        }
        for (number, notice) in open {
            self.put_notice(number, Notice { due: now, held: false, ..notice })?;
        }
        Ok(())
    }

    /// Keeps a notice after a change.
    pub fn put_notice(&mut self, id: u64, notice: Notice) -> Result<(), Refusal> {
        self.disk.save_notice(id, Some(&notice))?;
        self.outbox.put(id, notice);
        Ok(())
    }

    /// Forgets a notice that is acknowledged or given up.
    pub fn drop_notice(&mut self, id: u64) -> Result<(), Refusal> {
        self.disk.save_notice(id, None::<&Notice>)?;
        self.outbox.remove(id);
        Ok(())
    }

    /// The faults of a seller's number.
    pub fn faults(&self, seller_id: &str, out_trade_no: &str) -> Option<&Faults> {
        self.faults
            .get(&(seller_id.to_owned(), out_trade_no.to_owned()))
            .or_else(|| self.faults.get(&(String::new(), out_trade_no.to_owned())))
    }

    /// Sets the faults of a number; `seller_id` is empty where no seller is known.
    pub fn set_faults(
        &mut self,
        seller_id: &str,
        out_trade_no: &str,
        faults: Faults,
    ) -> Result<(), Refusal> {
        // What was set for the number before its seller was known would otherwise come back when
        // the seller's own faults are used up.
        if !seller_id.is_empty() {
            self.put_faults((String::new(), out_trade_no.to_owned()), Faults::default())?;
        }
        self.put_faults((seller_id.to_owned(), out_trade_no.to_owned()), faults)
    }

    fn put_faults(&mut self, key: Number, faults: Faults) -> Result<(), Refusal> {
        if faults.is_empty() {
            if self.faults.contains_key(&key) {
                self.disk.save_faults(&key, None::<&Faults>)?;
                self.faults.remove(&key);
            }
        } else {
            self.disk.save_faults(&key, Some(&faults))?;
            self.faults.insert(key, faults);
        }
        Ok(())
    }

    /// Uses up something of a number's faults.
    pub fn use_faults<T: Default>(
        &mut self,
        seller_id: &str,
        out_trade_no: &str,
        take: impl FnOnce(&mut Faults) -> T,
    ) -> Result<T, Refusal> {
        for seller in [seller_id, ""] {
            let key = (seller.to_owned(), out_trade_no.to_owned());
            if let Some(before) = self.faults.get(&key) {
                let mut after = before.clone();
                let value = take(&mut after);
                if after != *before {
                    self.put_faults(key, after)?;
                }
                return Ok(value);
            }
        }
        Ok(T::default())
    }

    /// What goes wrong with the next answer about a number: a fault, and milliseconds of delay.
    pub fn answer_fault(
        &mut self,
        seller_id: &str,
        out_trade_no: &str,
        method: &str,
    ) -> Result<(Option<AnswerFault>, u64), Refusal> {
        self.use_faults(seller_id, out_trade_no, |faults| {
            (faults.answer.take(method), faults.answer.delay_for(method))
        })
    }

    /// A ticket for one bill, good for thirty seconds.
    pub fn give_bill(&mut self, of: BillOf, now: i64) -> String {
        self.bills.retain(|_, (_, until)| *until > now);
        let ticket = random_alphanumeric(&SystemEntropy, 32);
        self.bills.insert(ticket.clone(), (of, now.saturating_add(TICKET_MICROS)));
        ticket
    }

    /// The bill of a ticket that is still good.
    pub fn bill(&self, ticket: &str, now: i64) -> Option<&BillOf> {
        self.bills.get(ticket).filter(|(_, until)| now < *until).map(|(of, _)| of)
    }

    fn store(&mut self, id: u64, trade: Trade, news: &[News], now: i64) -> Result<(), Refusal> {
        let mut notices = Vec::new();
        for news in news {
            if let Some(notice) = self.notice(id, &trade, *news, now, notices.is_empty()) {
                notices.push((self.outbox.next_id(), notice));
            }
        }
        self.disk.save_trade((id, &trade), &notices)?;
        self.remember(id, trade);
        for (number, notice) in notices {
            self.outbox.put(number, notice);
        }
        Ok(())
    }

    fn notice(&self, id: u64, trade: &Trade, news: News, now: i64, first: bool) -> Option<Notice> {
        let url = trade.notify_url.clone()?;
        let app = self.apps.get(&trade.app_id)?;
        let faults = self.faults(&trade.seller_id, &trade.out_trade_no).map(|f| f.notify.clone());
        let faults = faults.unwrap_or_default();
        let notify_id = format!("{}{}", day_digits(now), random_digits(&SystemEntropy, 26));
        let another_held = !first || self.outbox.of_trade(id).any(|(_, notice)| notice.held);
        Some(Notice {
            trade: id,
            fields: notice::fields(trade, news, &app.merchant, &notify_id),
            notify_id,
            url,
            attempts: 0,
            due: now.saturating_add(i64::from(faults.delay_seconds) * 1_000_000),
            held: faults.out_of_order && !another_held,
            copies: 0,
            acknowledged: false,
        })
    }

    fn remember(&mut self, id: u64, trade: Trade) {
        self.last_trade = self.last_trade.max(id);
        if let Some(before) = self.trades.get(&id) {
            self.expiries.remove(&(before.expires_at, id));
            self.by_token.remove(&before.token);
        }
        if trade.state == State::Waiting {
            self.expiries.insert((trade.expires_at, id));
        }
        self.by_number.insert((trade.seller_id.clone(), trade.out_trade_no.clone()), id);
        self.by_trade_no.insert(trade.trade_no.clone(), id);
        self.by_token.insert(trade.token.clone(), id);
        self.trades.insert(id, trade);
    }
}

/// The day, the channel's own digits, and chance: 28 digits.
fn new_trade_no(now: i64) -> String {
    format!("{}2200{}", day_digits(now), random_digits(&SystemEntropy, 16))
}

fn day_digits(now: i64) -> i64 {
    Timestamp::from_micros(now).china_day().number()
}

/// Why the simulator could not be opened or an app not be registered.
#[derive(Debug, thiserror::Error)]
pub enum OpenBookError {
    /// Folder or database.
    #[error(transparent)]
    Disk(#[from] OpenDiskError),
    /// A kept key cannot be read back.
    #[error("a key kept in the simulator's book cannot be read")]
    Key,
    /// A certificate of an app cannot be read, or its key is another one.
    #[error("a certificate of an app in certificate mode cannot be used")]
    Certificate,
}
