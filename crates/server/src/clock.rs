//! The clock of a demo server: it can be moved forward, and everything that waits moves with it
//! (DESIGN §8).

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use domain::ambient::Clock;
use engine::Engine;
use engine::test_clock::TestClock;
use serde::Deserialize;
use serde_json::{Value, json};

/// The farthest move at one time: ten years.
const ADVANCE_SECONDS_MAX: i64 = 10 * 366 * 86_400;

/// The demo clock and who must hear of its moves.
#[derive(Clone)]
pub struct TestClockDesk {
    /// The clock.
    pub clock: Arc<TestClock>,
    /// Where its offset is kept over a restart.
    pub engine: Arc<Engine>,
    /// Under which name.
    pub setting: &'static str,
    /// Who else is told: the simulator.
    pub on_move: Arc<dyn Fn() + Send + Sync>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Advance {
    advance_seconds: i64,
}

pub(crate) fn router<S: Clone + Send + Sync + 'static>(desk: TestClockDesk) -> Router<S> {
    Router::new().route("/simulator/control/clock", get(show).post(advance).with_state(desk))
}

fn face(desk: &TestClockDesk) -> Value {
    json!({ "now": desk.clock.now().seconds(), "offset_seconds": desk.clock.offset_seconds() })
}

async fn show(State(desk): State<TestClockDesk>) -> Json<Value> {
    Json(face(&desk))
}

/// The content type does not matter: `curl -d` calls everything a form.
async fn advance(State(desk): State<TestClockDesk>, body: Bytes) -> (StatusCode, Json<Value>) {
    let refuse = |text: String| (StatusCode::BAD_REQUEST, Json(json!({ "error": text })));
    let advance_seconds = match serde_json::from_slice::<Advance>(&body) {
        Ok(advance) => advance.advance_seconds,
        Err(error) => return refuse(format!("send {{\"advance_seconds\":900}}: {error}")),
    };
    if !(0..=ADVANCE_SECONDS_MAX).contains(&advance_seconds) {
        return refuse(format!("advance_seconds: 0 to {ADVANCE_SECONDS_MAX}"));
    }
    let offset = desk.clock.advance(advance_seconds);
    let kept = desk.engine.read(|q| q.put_setting(desk.setting, &offset.to_string())).await;
    if let Err(error) = kept {
        tracing::error!(%error, "the clock's offset could not be kept");
    }
    desk.engine.clock_moved();
    (desk.on_move)();
    (StatusCode::OK, Json(face(&desk)))
}
