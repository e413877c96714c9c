//! The world of a demo server: one merchant with everything switched on in test mode, the simulator
//! as its upstream, and `demo.json`, on which outside programs rely (DESIGN §8).

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use domain::ambient::random_digits;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use server::admin::request::{
    AdminRequest, AppAdd, ChannelEnable, KeyAdd, MemberAdd, MemberBalance, MerchantAdd, ModeWord,
    PublicKeyAdd, RouteAdd, RouteSet,
};
use server::admin::{AdminDesk, execute};
use sign::rsa::{PrivateKey, PublicKey};

use crate::ambient::SystemEntropy;
use crate::wiring::write_private;

/// The Alipay channels that the demo app may use.
const ALIPAY_CHANNELS: [&str; 6] =
    ["alipay", "alipay_wap", "alipay_pc_direct", "alipay_qr", "alipay_scan", "alipay_lite"];
/// The wallet user who can pay by channel `balance`, and its fen.
const WALLET_USER: &str = "demo_user";
const WALLET_FEN: i64 = 100_000;

/// What outside programs read.
#[derive(Clone, Serialize, Deserialize)]
pub struct DemoFile {
    /// The server.
    pub base_url: String,
    /// The simulator inside it.
    pub simulator_url: String,
    /// The Ping++ face.
    pub pingpp: PingppPart,
    /// The merchant's side of the simulated Alipay, for independent clients.
    pub alipay: AlipayPart,
}

/// Credentials of the Ping++ face.
#[derive(Clone, Serialize, Deserialize)]
pub struct PingppPart {
    /// `sk_test_…`
    pub api_key: String,
    /// `app_…`
    pub app_id: String,
    /// With which the merchant signs.
    pub merchant_private_key_pem: String,
    /// With which the platform's signatures are checked.
    pub platform_public_key_pem: String,
}

/// The demo merchant's app at the simulated Alipay.
#[derive(Clone, Serialize, Deserialize)]
pub struct AlipayPart {
    /// The gateway.
    pub gateway_url: String,
    /// The simulator's control API.
    pub control_url: String,
    /// The app's id there.
    pub app_id: String,
    /// The seller's id there.
    pub seller_id: String,
    /// With which requests are signed.
    pub app_private_key: String,
    /// With which answers and notifications are checked.
    pub alipay_public_key: String,
    /// Our merchant's number.
    pub merchant: i64,
    /// Our route to it.
    pub route: i64,
}

fn path(folder: &Path) -> PathBuf {
    folder.join("demo.json")
}

/// The file of an earlier start.
pub fn read(folder: &Path) -> Result<Option<DemoFile>> {
    match std::fs::read_to_string(path(folder)) {
        Ok(text) => Ok(Some(
            serde_json::from_str(&text).context("demo.json is damaged; remove the folder")?,
        )),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).context("cannot read demo.json"),
    }
}

/// Makes the world at the first start; at a later one only its addresses follow the listener.
pub async fn prepare(
    desk: &AdminDesk,
    folder: &Path,
    base_url: &str,
    alipay_public_key: &PublicKey,
) -> Result<DemoFile> {
    let simulator_url = format!("{base_url}/simulator");
    let file = match read(folder)? {
        Some(file) if file.base_url == base_url => return Ok(file),
        Some(file) => moved(desk, file, base_url, &simulator_url).await?,
        None => make(desk, base_url, &simulator_url, alipay_public_key).await?,
    };
    write_private(&path(folder), &format!("{}\n", serde_json::to_string_pretty(&file)?))?;
    Ok(file)
}

fn route_settings(alipay: &AlipayPart) -> Value {
    json!({
        "app_id": alipay.app_id,
        "seller_id": alipay.seller_id,
        "app_private_key": alipay.app_private_key,
        "alipay_public_key": alipay.alipay_public_key,
        "gateway_url": alipay.gateway_url,
        "control_url": alipay.control_url,
    })
}

async fn moved(
    desk: &AdminDesk,
    mut file: DemoFile,
    base_url: &str,
    simulator_url: &str,
) -> Result<DemoFile> {
    file.base_url = base_url.to_owned();
    file.simulator_url = simulator_url.to_owned();
    file.alipay.gateway_url = format!("{simulator_url}/alipay/gateway.do");
    file.alipay.control_url = format!("{simulator_url}/control");
    let request = RouteSet {
        merchant: Some(file.alipay.merchant),
        mode: ModeWord::Test,
        route: file.alipay.route,
        settings: Some(route_settings(&file.alipay)),
        disabled: None,
    };
    execute(desk, AdminRequest::RouteSet(request)).await?;
    Ok(file)
}

fn text(answer: &Value, field: &str) -> Result<String> {
    let text = answer[field].as_str();
    Ok(text.with_context(|| format!("the answer has no {field}"))?.to_owned())
}

async fn make(
    desk: &AdminDesk,
    base_url: &str,
    simulator_url: &str,
    alipay_public_key: &PublicKey,
) -> Result<DemoFile> {
    let mode = ModeWord::Test;
    let name = "Demo shop 演示商户".to_owned();
    let made = execute(desk, AdminRequest::MerchantAdd(MerchantAdd { name })).await?;
    let number = made["merchant"].as_i64().context("the answer has no merchant")?;
    let merchant = Some(number);
    let add = AppAdd {
        merchant,
        id: None,
        name: "Demo app".into(),
        fee_bp: None,
        alphanumeric_ids: false,
    };
    let app = text(&execute(desk, AdminRequest::AppAdd(add)).await?, "app")?;
    let key = execute(desk, AdminRequest::KeyAdd(KeyAdd { merchant, mode })).await?;
    let merchant_key = PrivateKey::generate();
    let pem = merchant_key.public().to_spki_pem();
    execute(desk, AdminRequest::PublicKeyAdd(PublicKeyAdd { merchant, mode, pem })).await?;

    let alipay_key = PrivateKey::generate();
    let mut alipay = AlipayPart {
        gateway_url: format!("{simulator_url}/alipay/gateway.do"),
        control_url: format!("{simulator_url}/control"),
        app_id: format!("2021{}", random_digits(&SystemEntropy, 12)),
        seller_id: format!("2088{}", random_digits(&SystemEntropy, 12)),
        app_private_key: alipay_key.to_pkcs8_pem(),
        alipay_public_key: alipay_public_key.to_spki_pem(),
        merchant: number,
        route: 0,
    };
    let add = RouteAdd {
        merchant,
        mode,
        name: "Simulated Alipay".into(),
        connector: "alipay".into(),
        settings: route_settings(&alipay),
    };
    let route = execute(desk, AdminRequest::RouteAdd(add)).await?;
    alipay.route = route["route"].as_i64().context("the answer has no route")?;
    let add = RouteAdd {
        merchant,
        mode,
        name: "Wallet".into(),
        connector: "balance".into(),
        settings: Value::Null,
    };
    let wallet = execute(desk, AdminRequest::RouteAdd(add)).await?;
    let wallet = wallet["route"].as_i64().context("the answer has no route")?;
    let channels = ALIPAY_CHANNELS.map(str::to_owned).to_vec();
    for (route, channels) in [(alipay.route, channels), (wallet, vec!["balance".into()])] {
        let enable = ChannelEnable { merchant, app: app.clone(), mode, channels, route };
        execute(desk, AdminRequest::ChannelEnable(enable)).await?;
    }
    let user = WALLET_USER.to_owned();
    let add = MemberAdd { merchant, app: None, mode, user: user.clone(), disabled: false };
    execute(desk, AdminRequest::MemberAdd(add)).await?;
    let balance =
        MemberBalance { merchant, app: None, mode, user, balance: WALLET_FEN, currency: None };
    execute(desk, AdminRequest::MemberBalance(balance)).await?;
    Ok(DemoFile {
        base_url: base_url.to_owned(),
        simulator_url: simulator_url.to_owned(),
        pingpp: PingppPart {
            api_key: text(&key, "api_key")?,
            app_id: app,
            merchant_private_key_pem: merchant_key.to_pkcs8_pem(),
            platform_public_key_pem: desk.platform_key.public().to_spki_pem(),
        },
        alipay,
    })
}
