//! `sycee admin`: an operator's wish, executed by the running server of the folder or, where none
//! runs, on the store itself.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};
use serde_json::Value;
use server::admin::request::{
    AdminRequest, AppAdd, AppSet, ChannelDisable, ChannelEnable, EndpointAdd, EndpointRemove,
    KeyAdd, KeyRevoke, MemberAdd, MemberBalance, MerchantAdd, MerchantSet, ModeWord, OfEvent,
    OfMerchant, OfTenant, PublicKeyAdd, PublicKeyRevoke, Resend, RouteAdd, RouteSet,
};
use server::admin::{ImportFile, execute, socket};

use crate::arguments::{
    Admin, AdminCommand, AppCommand, ChannelCommand, DeliveryCommand, EndpointCommand, KeyCommand,
    MemberCommand, MerchantCommand, Mode, ModeArgument, PublicKeyCommand, RouteCommand,
};
use crate::configuration::{Overrides, Settings};
use crate::progress;
use crate::wiring;

/// Executes one operation and prints its answer.
pub fn run(arguments: Admin) -> Result<ExitCode> {
    wiring::refuse_database(arguments.data.database.as_deref())?;
    let folder = arguments.data.data.clone();
    let overrides = Overrides { folder, ..Overrides::default() };
    let settings = Settings::load(arguments.data.config.as_deref(), overrides)?;
    let request = request(arguments.merchant, arguments.command)?;
    let runtime = wiring::runtime()?;
    let answer = runtime.block_on(answer(&settings, request))?;
    let text = match arguments.json {
        true => answer.to_string(),
        false => serde_json::to_string_pretty(&answer)?,
    };
    println!("{text}");
    Ok(ExitCode::SUCCESS)
}

/// Charges sent at one time, so that a long import shows its progress.
const IMPORT_SLICE: usize = 500;

async fn answer(settings: &Settings, request: AdminRequest) -> Result<Value> {
    match request {
        AdminRequest::Import(file) => import(settings, *file).await,
        other => ask(settings, other).await,
    }
}

/// Sends the file slice by slice and sums up what was new. All of it is checked before.
async fn import(settings: &Settings, file: ImportFile) -> Result<Value> {
    file.check()?;
    let bar = progress::counter("charges imported");
    let mut sum = Value::Null;
    for slice in file.slices(IMPORT_SLICE) {
        let charges: usize = slice.merchants.iter().map(|m| m.charges.len()).sum();
        let answer = ask(settings, AdminRequest::Import(Box::new(slice))).await?;
        sum = summed(&sum, &answer);
        bar.inc(u64::try_from(charges)?);
    }
    bar.finish_and_clear();
    Ok(sum)
}

/// Adds up the numbers of two answers of one shape.
fn summed(a: &Value, b: &Value) -> Value {
    match (a, b) {
        (Value::Object(x), Value::Object(y)) => {
            y.iter().map(|(k, v)| (k.clone(), summed(&x[k], v))).collect()
        }
        (Value::Number(x), Value::Number(y)) => {
            Value::from(x.as_u64().unwrap_or(0) + y.as_u64().unwrap_or(0))
        }
        (_, b) => b.clone(),
    }
}

async fn ask(settings: &Settings, request: AdminRequest) -> Result<Value> {
    if let Some(answer) = socket::ask(&settings.data.folder, &request).await? {
        return Ok(answer?);
    }
    let opened = wiring::open(settings, wiring::Purpose::Admin, &settings.listen.public_url)?;
    let answer = execute(&opened.desk, request).await;
    opened.stop().await;
    Ok(answer?)
}

fn word(mode: &Mode) -> ModeWord {
    match mode.mode {
        ModeArgument::Live => ModeWord::Live,
        ModeArgument::Test => ModeWord::Test,
    }
}

fn json_file(path: &Path) -> Result<Value> {
    let text =
        std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{} is not JSON", path.display()))
}

fn request(merchant: Option<i64>, command: AdminCommand) -> Result<AdminRequest> {
    Ok(match command {
        AdminCommand::Merchant(command) => merchant_request(merchant, command),
        AdminCommand::App(command) => app_request(merchant, command),
        AdminCommand::Key(KeyCommand::Add(mode)) => {
            AdminRequest::KeyAdd(KeyAdd { merchant, mode: word(&mode) })
        }
        AdminCommand::Key(KeyCommand::Revoke { hint }) => {
            AdminRequest::KeyRevoke(KeyRevoke { merchant, hint })
        }
        AdminCommand::Key(KeyCommand::List) => AdminRequest::KeyList(OfMerchant { merchant }),
        AdminCommand::PublicKey(PublicKeyCommand::Add { file, mode }) => {
            let pem = std::fs::read_to_string(&file)
                .with_context(|| format!("cannot read {}", file.display()))?;
            AdminRequest::PublicKeyAdd(PublicKeyAdd { merchant, mode: word(&mode), pem })
        }
        AdminCommand::PublicKey(PublicKeyCommand::Revoke { fingerprint, mode }) => {
            let mode = word(&mode);
            AdminRequest::PublicKeyRevoke(PublicKeyRevoke { merchant, mode, fingerprint })
        }
        AdminCommand::Route(command) => route_request(merchant, command)?,
        AdminCommand::Channel(command) => channel_request(merchant, command),
        AdminCommand::Endpoint(command) => endpoint_request(merchant, command),
        AdminCommand::Member(command) => member_request(merchant, command),
        AdminCommand::Delivery(DeliveryCommand::List { event, mode }) => {
            AdminRequest::DeliveryList(OfEvent { merchant, mode: word(&mode), event })
        }
        AdminCommand::Delivery(DeliveryCommand::Resend { event, all, mode }) => {
            AdminRequest::DeliveryResend(Resend { merchant, mode: word(&mode), event, all })
        }
        AdminCommand::Balances(mode) => {
            AdminRequest::Balances(OfTenant { merchant, mode: word(&mode) })
        }
        AdminCommand::PlatformKey => AdminRequest::PlatformKey,
        AdminCommand::Backlog => AdminRequest::Backlog,
        AdminCommand::Import { file } => {
            let value = json_file(&file)?;
            let file = serde_json::from_value(value)
                .context("the file does not have the documented form (docs/import.md)")?;
            AdminRequest::Import(Box::new(file))
        }
    })
}

fn merchant_request(merchant: Option<i64>, command: MerchantCommand) -> AdminRequest {
    match command {
        MerchantCommand::Add { name } => AdminRequest::MerchantAdd(MerchantAdd { name }),
        MerchantCommand::Set {
            live_signature_required,
            test_signature_required,
            sign_responses,
            disabled,
        } => AdminRequest::MerchantSet(MerchantSet {
            merchant,
            live_signature_required,
            test_signature_required,
            sign_responses,
            disabled,
        }),
        MerchantCommand::List => AdminRequest::MerchantList,
    }
}

fn app_request(merchant: Option<i64>, command: AppCommand) -> AdminRequest {
    match command {
        AppCommand::Add { name, id, fee_bp, alphanumeric_ids } => {
            AdminRequest::AppAdd(AppAdd { merchant, id, name, fee_bp, alphanumeric_ids })
        }
        AppCommand::Set { app, name, fee_bp, alphanumeric_ids, disabled } => {
            AdminRequest::AppSet(AppSet { merchant, app, name, fee_bp, alphanumeric_ids, disabled })
        }
        AppCommand::List => AdminRequest::AppList(OfMerchant { merchant }),
    }
}

fn route_request(merchant: Option<i64>, command: RouteCommand) -> Result<AdminRequest> {
    Ok(match command {
        RouteCommand::Add { name, connector, settings, mode } => {
            let settings = settings.as_deref().map(json_file).transpose()?.unwrap_or_default();
            let mode = word(&mode);
            AdminRequest::RouteAdd(RouteAdd { merchant, mode, name, connector, settings })
        }
        RouteCommand::Set { route, settings, disabled, mode } => {
            let settings = settings.as_deref().map(json_file).transpose()?;
            let mode = word(&mode);
            AdminRequest::RouteSet(RouteSet { merchant, mode, route, settings, disabled })
        }
        RouteCommand::List(mode) => {
            AdminRequest::RouteList(OfTenant { merchant, mode: word(&mode) })
        }
    })
}

fn channel_request(merchant: Option<i64>, command: ChannelCommand) -> AdminRequest {
    match command {
        ChannelCommand::Enable { app, route, channels, mode } => {
            let mode = word(&mode);
            AdminRequest::ChannelEnable(ChannelEnable { merchant, app, mode, channels, route })
        }
        ChannelCommand::Disable { app, channels, mode } => {
            let mode = word(&mode);
            AdminRequest::ChannelDisable(ChannelDisable { merchant, app, mode, channels })
        }
    }
}

fn endpoint_request(merchant: Option<i64>, command: EndpointCommand) -> AdminRequest {
    match command {
        EndpointCommand::Add { app, url, events, mode } => {
            let mode = word(&mode);
            AdminRequest::EndpointAdd(EndpointAdd { merchant, app, mode, url, events })
        }
        EndpointCommand::Remove { endpoint, mode } => {
            let mode = word(&mode);
            AdminRequest::EndpointRemove(EndpointRemove { merchant, mode, endpoint })
        }
        EndpointCommand::List(mode) => {
            AdminRequest::EndpointList(OfTenant { merchant, mode: word(&mode) })
        }
    }
}

fn member_request(merchant: Option<i64>, command: MemberCommand) -> AdminRequest {
    match command {
        MemberCommand::Add { app, user, disabled, mode } => {
            let mode = word(&mode);
            AdminRequest::MemberAdd(MemberAdd { merchant, app, mode, user, disabled })
        }
        MemberCommand::Balance { app, user, balance, currency, mode } => {
            let mode = word(&mode);
            let wish = MemberBalance { merchant, app, mode, user, balance, currency };
            AdminRequest::MemberBalance(wish)
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_sliced_import_keeps_order_and_states_balances_once_at_the_end() {
        let charge = |id: u32| {
            json!({
                "id": format!("ch_{id}"), "created": 1, "livemode": false, "paid": false,
                "app": "app_1", "channel": "wx", "order_no": format!("o{id}"), "amount": 1,
                "currency": "cny", "subject": "s", "body": "b"
            })
        };
        let file: ImportFile = serde_json::from_value(json!({
            "version": 1,
            "merchants": [{
                "name": "shop",
                "apps": [{ "id": "app_1", "name": "web" }],
                "charges": [charge(1), charge(2), charge(3)],
                "opening_balances": [{ "mode": "test", "currency": "cny", "balance": 0 }]
            }]
        }))
        .unwrap();
        file.check().unwrap();
        let slices = file.slices(2);
        let ids: Vec<Vec<String>> = slices
            .iter()
            .map(|s| s.merchants[0].charges.iter().map(|c| c.id.clone()).collect())
            .collect();
        assert_eq!(ids, [vec!["ch_1", "ch_2"], vec!["ch_3"]]);
        let balances: Vec<usize> =
            slices.iter().map(|s| s.merchants[0].opening_balances.len()).collect();
        assert_eq!(balances, [0, 1]);
    }

    #[test]
    fn answers_of_slices_add_up() {
        let (a, b) =
            (json!({ "charges": { "created": 2 } }), json!({ "charges": { "created": 3 } }));
        assert_eq!(summed(&summed(&Value::Null, &a), &b), json!({ "charges": { "created": 5 } }));
    }
}
