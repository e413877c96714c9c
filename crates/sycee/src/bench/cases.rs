//! What each case sends.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use axum::body::Bytes;
use axum::http::{HeaderValue, Method};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sign::rsa::PrivateKey;
use tokio::sync::Notify;

use super::Figures;
use super::connector::notice;
use super::load::{Measured, Shot, Shots, drive, per_second};
use super::world::{CHANNEL, FEN, Shape, Shop, World};

/// How each case runs.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Loops at one time.
    pub connections: usize,
    /// How long.
    pub time: Duration,
    /// Payments stored before the case begins.
    pub prefill: usize,
}

/// Payments made beforehand for each second of a case that consumes them.
const CONSUMED_PER_SECOND: usize = 12_000;
/// Requests signed beforehand for each second.
const SIGNED_PER_SECOND: usize = 9_000;
/// Merchants over which `confirm-spread` spreads.
const SPREAD: usize = 64;

/// Runs one case.
pub async fn run(case: &'static str, plan: &Plan) -> Result<Figures> {
    let shape = Shape {
        shops: if case == "confirm-spread" { SPREAD } else { 1 },
        signed: case == "create-signed",
        nowhere: case == "http",
    };
    let world = World::start(shape).await?;
    if plan.prefill > 0 && !shape.nowhere {
        world.prefill(plan.prefill).await?;
    }
    let result = run_in(case, plan, &world).await;
    world.stop().await?;
    result
}

async fn run_in(case: &'static str, plan: &Plan, world: &World) -> Result<Figures> {
    let timed = Some(plan.time);
    let shop = world.shops.first().context("a bench needs a shop")?;
    let measured = match case {
        "http" | "create" => {
            warm_up(plan, world, creates(shop, "w")).await?;
            drive(world.address, plan.connections, timed, creates(shop, "b")).await?
        }
        "create-signed" => {
            let shots = signed_creates(shop, plan)?;
            drive(world.address, plan.connections, timed, shots).await?
        }
        "confirm-hot" | "confirm-spread" => {
            let shots = confirms(world, plan).await?;
            drive(world.address, plan.connections, timed, shots).await?
        }
        "retrieve" | "list" => {
            let made = world.prefill(10_000).await?;
            let shots = if case == "list" { lists(shop) } else { retrieves(shop, made) };
            drive(world.address, plan.connections, timed, shots).await?
        }
        "webhooks" => return webhooks(plan, world).await,
        other => anyhow::bail!("there is no case {other}"),
    };
    Ok(figures(case, measured))
}

async fn warm_up(plan: &Plan, world: &World, shots: Shots) -> Result<()> {
    drive(world.address, plan.connections, Some(Duration::from_millis(300)), shots).await?;
    Ok(())
}

fn figures(case: &'static str, mut measured: Measured) -> Figures {
    Figures {
        case,
        per_second: measured.per_second(),
        p50_us: measured.percentile_us(50),
        p99_us: measured.percentile_us(99),
        errors: measured.errors,
    }
}

fn authorization(shop: &Shop) -> HeaderValue {
    let text = format!("Basic {}", STANDARD.encode(format!("{}:", shop.api_key)));
    HeaderValue::from_str(&text).expect("base64 is always a header value")
}

fn create_body(shop: &Shop, mark: &str, number: usize) -> String {
    format!(
        concat!(
            r#"{{"order_no":"{}{:08}","app":{{"id":"{}"}},"channel":"{}","amount":{},"#,
            r#""client_ip":"127.0.0.1","currency":"cny","subject":"Green tea","#,
            r#""body":"Spring harvest, 100 g","#,
            r#""extra":{{"success_url":"https://shop.invalid/done"}},"#,
            r#""metadata":{{"cart":"77"}}}}"#
        ),
        mark, number, shop.app.id, CHANNEL, FEN
    )
}

fn creates(shop: &Shop, mark: &'static str) -> Shots {
    let authorization = authorization(shop);
    let (before, after) = {
        let body = create_body(shop, mark, 0);
        let at = body.find("00000000").unwrap_or(0);
        (body[..at].to_owned(), body[at + 8..].to_owned())
    };
    Arc::new(move |number| {
        Some(Shot {
            method: Method::POST,
            target: "/v1/charges".into(),
            headers: vec![
                ("authorization", authorization.clone()),
                ("content-type", HeaderValue::from_static("application/json")),
            ],
            body: Bytes::from(format!("{before}{number:08}{after}")),
            expect: "\"paid\":false",
        })
    })
}

/// Requests signed before the clock runs: the load must not pay for the merchant's signatures.
fn signed_creates(shop: &Shop, plan: &Plan) -> Result<Shots> {
    let seconds = usize::try_from(plan.time.as_secs())?;
    let count = SIGNED_PER_SECOND * seconds.max(1);
    let time = domain::ambient::Clock::now(&crate::ambient::SystemClock).seconds().to_string();
    let stamp = HeaderValue::from_str(&time)?;
    let authorization = authorization(shop);
    let sign = |number: usize, signer: &PrivateKey| {
        let body = create_body(shop, "s", number);
        let text =
            sign::pingpp::request_text(body.as_bytes(), b"/v1/charges", Some(time.as_bytes()));
        (Bytes::from(body), signer.sign_sha256_base64(&text))
    };
    let half = count / 2;
    let (mut signed, rest) = std::thread::scope(|scope| {
        let other =
            scope.spawn(|| (half..count).map(|n| sign(n, &shop.signer)).collect::<Vec<_>>());
        let mine: Vec<_> = (0..half).map(|n| sign(n, &shop.signer)).collect();
        (mine, other.join())
    });
    signed.extend(rest.map_err(|_| anyhow::anyhow!("a signing thread ended badly"))?);
    Ok(Arc::new(move |number| {
        let (body, signature) = signed.get(number)?;
        Some(Shot {
            method: Method::POST,
            target: "/v1/charges".into(),
            headers: vec![
                ("authorization", authorization.clone()),
                ("content-type", HeaderValue::from_static("application/json")),
                ("pingplusplus-request-timestamp", stamp.clone()),
                ("pingplusplus-signature", HeaderValue::from_str(signature).ok()?),
            ],
            body: body.clone(),
            expect: "\"paid\":false",
        })
    }))
}

async fn confirms(world: &World, plan: &Plan) -> Result<Shots> {
    let seconds = usize::try_from(plan.time.as_secs())?;
    let made = world.prefill(CONSUMED_PER_SECOND * seconds.max(1)).await?;
    let targets: Vec<String> =
        world.shops.iter().map(|s| format!("/notify/route/{}", s.route.id.raw())).collect();
    Ok(Arc::new(move |number| {
        let (shop, order, _) = made.get(number)?;
        Some(Shot {
            method: Method::POST,
            target: targets[*shop].clone(),
            headers: Vec::new(),
            body: Bytes::from(notice(order, FEN)),
            expect: "success",
        })
    }))
}

fn retrieves(shop: &Shop, made: Vec<(usize, String, String)>) -> Shots {
    let authorization = authorization(shop);
    Arc::new(move |number| {
        // A stride that is prime to the count visits all of them in a scattered order.
        let (_, _, id) = &made[number.wrapping_mul(7_919) % made.len()];
        Some(get(format!("/v1/charges/{id}"), &authorization, "\"object\":\"charge\""))
    })
}

fn lists(shop: &Shop) -> Shots {
    let authorization = authorization(shop);
    let target = format!("/v1/charges?app%5Bid%5D={}&limit=10", shop.app.id);
    Arc::new(move |_| Some(get(target.clone(), &authorization, "\"has_more\":true")))
}

fn get(target: String, authorization: &HeaderValue, expect: &'static str) -> Shot {
    Shot {
        method: Method::GET,
        target,
        headers: vec![("authorization", authorization.clone())],
        body: Bytes::new(),
        expect,
    }
}

/// Payments are confirmed as fast as they go; what is counted is messages that arrive, each signed.
async fn webhooks(plan: &Plan, world: &World) -> Result<Figures> {
    let seconds = usize::try_from(plan.time.as_secs())?.max(1);
    let count = 2_000 * seconds;
    let (arrived, all) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
    let sink = {
        let (arrived, all) = (arrived.clone(), all.clone());
        axum::Router::new().route(
            "/",
            axum::routing::post(move || {
                let (arrived, all) = (arrived.clone(), all.clone());
                async move {
                    if arrived.fetch_add(1, Ordering::AcqRel) + 1 == count {
                        all.notify_one();
                    }
                }
            }),
        )
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}/", listener.local_addr()?);
    tokio::spawn(async move { axum::serve(listener, sink).await });
    world.add_endpoint(&url).await?;
    let made = world.prefill(count).await?;
    let target = format!("/notify/route/{}", world.shops[0].route.id.raw());
    let shots: Shots = Arc::new(move |number| {
        let (_, order, _) = made.get(number)?;
        Some(Shot {
            method: Method::POST,
            target: target.clone(),
            headers: Vec::new(),
            body: Bytes::from(notice(order, FEN)),
            expect: "success",
        })
    });
    let begin = Instant::now();
    let mut measured = drive(world.address, plan.connections, None, shots).await?;
    let patience = plan.time * 10 + Duration::from_secs(30);
    let late = tokio::time::timeout(patience, all.notified()).await.is_err();
    let elapsed = begin.elapsed();
    let arrived = arrived.load(Ordering::Acquire);
    let missing = u64::try_from(count.saturating_sub(arrived)).unwrap_or(u64::MAX);
    Ok(Figures {
        case: "webhooks",
        per_second: per_second(arrived, elapsed),
        p50_us: measured.percentile_us(50),
        p99_us: measured.percentile_us(99),
        errors: measured.errors + if late { missing } else { 0 },
    })
}

/// How many creates a second two cores could sign and verify if they did nothing else.
pub fn rsa_per_second(plan: &Plan) -> u64 {
    let key = PrivateKey::generate();
    let public = key.public();
    let message = vec![b'x'; 900];
    let signature = key.sign_sha256(&message);
    let time = plan.time.min(Duration::from_secs(3));
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let begin = Instant::now();
    let count: usize = std::thread::scope(|scope| {
        let work = || {
            let mut done = 0usize;
            while begin.elapsed() < time {
                let verified = public.verify_sha256(&message, &signature).is_ok();
                done += usize::from(verified && !key.sign_sha256(&message).is_empty());
            }
            done
        };
        let threads: Vec<_> = (0..cores).map(|_| scope.spawn(work)).collect();
        threads.into_iter().map(|t| t.join().unwrap_or(0)).sum()
    });
    per_second(count, begin.elapsed())
}
