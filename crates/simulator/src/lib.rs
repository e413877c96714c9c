//! The far side of the Alipay channel: a pretend OpenAPI gateway with a cashier, notifications,
//! faults on demand, and a book of its own.
//!
//! It speaks the wire protocol of specs/channels.md §1 by its own reading: it must share neither
//! parsing nor canonical texts with the connector, or a misreading would agree with itself. It is
//! for demonstrations and tests; it must never run beside real money.
//!
//! Paths, relative to where the router is mounted:
//!
//! | path | what |
//! |---|---|
//! | `GET,POST alipay/gateway.do` | the gateway |
//! | `GET cashier/{token}`, `POST cashier/{token}/pay`, `…/fail`, `…/cancel` | the payer's page |
//! | `GET code/{token}` | a QR code as a merchant would show it; looking does not scan |
//! | `GET bills/{ticket}` | a daily bill, for thirty seconds after its address was given |
//! | `GET /` | recent trades |
//! | `POST control/trades/{out_trade_no}` | `{"do":…,"faults":…,"app_id":…}` (see below) |
//! | `GET control/trades`, `GET control/trades/{out_trade_no}` | the book |
//! | `GET control/journal?since=&out_trade_no=` | what crossed the wire |
//! | `GET control/faults` | the faults, explained |
//! | `GET,POST control/apps` | registered apps, the channel's public key |
//!
//! `do` is one of `pay`, `fail`, `cancel` (what the payer's buttons do), `close`, `expire`, `scan`,
//! `finish`, `refund_fail`, `refund_ok`, `notify`, `faults`. An act that the trade's state forbids
//! is answered 409, an unknown trade 404; faults alone may be set for a number before it exists.
//!
//! Faults, with `n` for how many times:
//! `{"notify":{"delay_seconds":s,"duplicate":n,"lose":n|"all","out_of_order":bool,
//! "forge":"signature"|"amount"|"app"|"seller"|"order"},"answer":{"delay_ms":ms,"reset":n,
//! "http_500":n,"rate_limit":n,"unknown_before":n,"unknown":n,"lost_after":n,"unsigned":n,
//! "wrong_sign":n,"truncated":n,"waiting":n,"refund_pending":n,"methods":[…]}}`.
//!
//! Payment codes of `alipay.trade.pay`: `280000000000000001` waits for the payer (10003),
//! `280000000000000002` has no money, `280000000000000003` is invalid; any other code of 16 to 24
//! digits that begins with 25 to 30 pays at once, above 1,000.00 yuan after the payer confirms.

mod address;
mod app;
mod bill;
mod book;
mod calls;
mod cashier;
mod content;
mod control;
mod courier;
mod disk;
mod faults;
mod gateway;
mod journal;
mod language;
mod method;
mod notice;
mod outbox;
mod refusal;
mod request;
mod scan;
mod settings;
mod trade;
mod wire;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::routing::{get, post};
use domain::ambient::Clock;
use sign::rsa::PublicKey;
use tokio::sync::{Notify, watch};

pub use crate::book::OpenBookError;
pub use crate::disk::OpenDiskError;
pub use crate::settings::{CertificateMode, MerchantApp, Settings};

use crate::app::App;
use crate::book::Book;
use crate::journal::{Direction, Entry, Journal};
use crate::notice::china;
use crate::trade::Trade;
use crate::wire::{Parameters, notice_text, yuan};

/// The pretend channel. Shared by its router and its background loop.
pub struct Simulator {
    clock: Arc<dyn Clock>,
    base_url: String,
    base_path: String,
    time_scale: u32,
    book: Mutex<Book>,
    journal: Mutex<Journal>,
    bell: Notify,
    http: reqwest::Client,
}

/// Why a simulator could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The book: folder, database, keys, certificates.
    #[error(transparent)]
    Book(#[from] OpenBookError),
    /// `base_url` is no http or https address.
    #[error("the simulator's base address is not a web address")]
    BaseUrl,
    /// The HTTP client for notifications.
    #[error("the client for notifications cannot be made: {0}")]
    Http(#[from] reqwest::Error),
}

impl Simulator {
    /// Opens the book, making the channel's key pair on the first day.
    ///
    /// The caller must run [`Simulator::run`] for notifications and expiries.
    pub fn open(settings: Settings, clock: Arc<dyn Clock>) -> Result<Arc<Simulator>, OpenError> {
        // Installed once per process; whoever came first has installed the same.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let base = address::web(&settings.base_url).ok_or(OpenError::BaseUrl)?;
        let mut book = Book::open(settings.folder.as_deref())?;
        for merchant in settings.merchants {
            book.know(merchant)?;
        }
        Ok(Arc::new(Simulator {
            clock,
            base_path: base.path().trim_end_matches('/').to_owned(),
            base_url: settings.base_url.trim_end_matches('/').to_owned(),
            time_scale: settings.time_scale,
            book: Mutex::new(book),
            journal: Mutex::new(Journal::default()),
            bell: Notify::new(),
            http: courier::client()?,
        }))
    }

    /// All pages and interfaces, relative to the path of `base_url`.
    pub fn router(self: &Arc<Self>) -> Router {
        Router::new()
            .route("/", get(cashier::index))
            .route("/alipay/gateway.do", get(gateway::handle).post(gateway::handle))
            .route("/cashier/{token}", get(cashier::cashier))
            .route("/cashier/{token}/pay", post(cashier::pay))
            .route("/cashier/{token}/fail", post(cashier::fail))
            .route("/cashier/{token}/cancel", post(cashier::cancel))
            .route("/code/{token}", get(cashier::code))
            .route("/bills/{ticket}", get(bill::download))
            .route("/assets/simulator.css", get(cashier::stylesheet))
            .route("/control/trades", get(control::trades))
            .route("/control/trades/{out_trade_no}", get(control::trade).post(control::order))
            .route("/control/journal", get(control::journal))
            .route("/control/faults", get(control::faults))
            .route("/control/apps", get(control::apps).post(control::register))
            .with_state(Arc::clone(self))
    }

    /// The key that verifies the channel's answers and notifications in public-key mode.
    pub fn alipay_public_key(&self) -> PublicKey {
        self.book().key().public()
    }

    /// Registers an app at run time, or replaces it. An app in public-key mode is kept in the
    /// folder; one in certificate mode must be registered again after a restart.
    pub fn register(&self, app: MerchantApp) -> Result<(), OpenBookError> {
        self.book().register(app)
    }

    /// Tells the background loop that the clock has jumped.
    pub fn clock_moved(&self) {
        self.wake();
    }

    /// Sends notifications and closes overdue trades until `stop` turns true.
    pub async fn run(self: Arc<Self>, stop: watch::Receiver<bool>) {
        courier::run(self, stop).await;
    }

    fn now(&self) -> i64 {
        self.clock.now().micros()
    }

    fn base_url(&self) -> &str {
        &self.base_url
    }

    fn base_path(&self) -> &str {
        &self.base_path
    }

    fn time_scale(&self) -> u32 {
        self.time_scale
    }

    fn http(&self) -> &reqwest::Client {
        &self.http
    }

    /// Never held across an await: the guard cannot be sent between threads.
    fn book(&self) -> MutexGuard<'_, Book> {
        // Every change of the book is written before it is remembered, so a panic elsewhere has
        // left it whole.
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn journal(&self) -> MutexGuard<'_, Journal> {
        self.journal.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, entry: Entry) {
        let time = china(self.now());
        self.journal().write(Entry { time, ..entry });
    }

    fn wake(&self) {
        self.bell.notify_one();
    }

    async fn rung(&self) {
        self.bell.notified().await;
    }

    /// Signs for an app; before the app is known, with the channel's own key.
    fn sign_for(&self, app: Option<&App>, text: &str) -> String {
        let signer = match app {
            Some(app) => app.signer.clone(),
            None => self.book().key().clone(),
        };
        signer.sign_sha256_base64(text.as_bytes())
    }

    /// What a page calls the payee.
    fn payee(&self, trade: &Trade) -> String {
        match self.book().app(&trade.app_id) {
            Some(app) if !app.merchant.seller_email.is_empty() => app.merchant.seller_email.clone(),
            _ => trade.seller_id.clone(),
        }
    }

    /// The signed fields with which a browser returns to the merchant (specs/channels.md §1.11).
    fn signed_return_fields(&self, trade: &Trade, method: &str, now: i64) -> Parameters {
        let mut fields: Parameters = [
            ("app_id", trade.app_id.as_str()),
            ("auth_app_id", &trade.app_id),
            ("charset", "utf-8"),
            ("method", method),
            ("out_trade_no", &trade.out_trade_no),
            ("seller_id", &trade.seller_id),
            ("sign_type", "RSA2"),
            ("timestamp", &china(now)),
            ("total_amount", &yuan(trade.total_fen)),
            ("trade_no", &trade.trade_no),
            ("version", "1.0"),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
        let app = self.book().app(&trade.app_id);
        let sign = self.sign_for(app.as_deref(), &notice_text(&fields));
        fields.insert("sign".to_owned(), sign);
        fields
    }

    /// Notes in the journal that a browser was sent back.
    fn write_return(&self, trade: &Trade, to: &str) {
        let parameters = address::web(to)
            .map(|url| url.query_pairs().into_owned().collect())
            .unwrap_or_default();
        self.write(Entry {
            app_id: trade.app_id.clone(),
            out_trade_no: trade.out_trade_no.clone(),
            url: Some(to.to_owned()),
            parameters,
            status: Some(302),
            ..Entry::new(Direction::Return)
        });
    }
}
