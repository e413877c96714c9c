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
use server::admin::{execute, socket};

use crate::arguments::{
    Admin, AdminCommand, AppCommand, ChannelCommand, DeliveryCommand, EndpointCommand, KeyCommand,
    MemberCommand, MerchantCommand, Mode, ModeArgument, PublicKeyCommand, RouteCommand,
};
use crate::configuration::{Overrides, Settings};
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

async fn answer(settings: &Settings, request: AdminRequest) -> Result<Value> {
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
