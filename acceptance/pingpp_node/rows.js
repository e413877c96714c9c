'use strict';
// The conformance rows of specs/pingpp.md §10.4 with the unmodified Node SDK.
//
// Usage: node rows.js ROW SETTINGS, where SETTINGS is JSON. Prints one line of JSON: what the row
// wants to tell the test that started it. A broken expectation ends the process with status 1.

const assert = require('node:assert/strict');
const crypto = require('node:crypto');
const http = require('node:http');
const Pingpp = require('pingpp');

const settings = JSON.parse(process.argv[3]);
const address = new URL(settings.base_url);
const pingpp = Pingpp(settings.api_key);
pingpp.setHost(address.hostname, address.port, 'http');
if (settings.private_key) {
  pingpp.setPrivateKey(settings.private_key);
}

const NOWHERE = 'ch_' + '0'.repeat(24);

function orderNo() {
  return crypto.randomBytes(9).toString('hex');
}

function parameters(changes) {
  return {
    order_no: orderNo(),
    app: { id: settings.app_id },
    channel: 'alipay_qr',
    amount: 1990,
    client_ip: '203.0.113.7',
    currency: 'cny',
    subject: 'Green tea',
    body: 'Spring harvest 100 g',
    extra: {},
    ...changes,
  };
}

function create(changes) {
  return pingpp.charges.create(parameters(changes));
}

function pay(chargeId) {
  return new Promise((resolve, reject) => {
    const url = `${settings.base_url}/notify/charges/${chargeId}?livemode=false`;
    // A pool of its own: a kept-alive socket from here would hang the SDK's next call (row 13).
    http.get(url, { agent: false }, (response) => {
      let body = '';
      response.on('data', (chunk) => { body += chunk; });
      response.on('end', () => {
        try {
          assert.deepEqual([response.statusCode, body], [200, 'success']);
          resolve();
        } catch (broken) {
          reject(broken);
        }
      });
    }).on('error', reject);
  });
}

async function createPaid(changes) {
  const charge = await create(changes);
  await pay(charge.id);
  return charge;
}

// What the SDK threw, by the names under which it hands on an error.
async function refusal(promise) {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  return assert.fail('nothing was refused');
}

const rows = {
  async row_01_create() {
    const wanted = parameters({
      subject: '明前龙井 <250克> & 茶具',
      body: '给“老张”的礼物 =\\/ 🍵',
      metadata: { cart: '77', 备注: '<b>&amp;' },
      description: '第一单',
    });
    const charge = await pingpp.charges.create(wanted);
    for (const name of Object.keys(wanted)) {
      if (name !== 'app') {
        assert.deepEqual(charge[name], wanted[name], name);
      }
    }
    assert.equal(charge.app, settings.app_id);
    assert.equal(charge.livemode, false);
    assert.equal(charge.paid, false);
    assert.equal(typeof charge.credential.alipay_qr, 'string');
    return charge.id;
  },

  async row_02_empty_maps() {
    const charge = await create({ extra: [], metadata: [] });
    assert.deepEqual([charge.extra, charge.metadata], [{}, {}]);
  },

  async row_03_same_create_twice() {
    const order_no = orderNo();
    const [first, second] = [await create({ order_no }), await create({ order_no })];
    assert.equal(first.id, second.id);
  },

  async row_03_same_create_at_once() {
    const order_no = orderNo();
    const made = await Promise.all([...Array(8)].map(() => create({ order_no })));
    assert.equal(new Set(made.map((charge) => charge.id)).size, 1);
    for (const charge of made) {
      assert.equal(typeof charge.credential.alipay_qr, 'string', 'nobody could pay this');
    }
  },

  async row_04_retrieve_and_expand() {
    const created = await create();
    assert.deepEqual(await pingpp.charges.retrieve(created.id), created);
    const expanded = await pingpp.charges.retrieve(created.id, { expand: ['app'] });
    assert.equal(expanded.app.id, settings.app_id);
    assert.equal(expanded.app.object, 'app');
  },

  async row_05_list() {
    const made = [await createPaid(), await createPaid(), await createPaid()];
    const wanted = {
      app: { id: settings.app_id }, limit: 2, paid: true, created: { gt: made[0].created - 1 },
    };
    const first = await pingpp.charges.list(wanted);
    assert.deepEqual(first.data.map((c) => c.id), [made[2].id, made[1].id]);
    assert.equal(first.has_more, true);
    const second = await pingpp.charges.list({ ...wanted, starting_after: made[1].id });
    assert.equal(second.data[0].id, made[0].id);
    const error = await refusal(pingpp.charges.list({ ...wanted, limit: 101 }));
    assert.deepEqual([error.type, error.param], ['PingppInvalidRequest', 'limit']);
  },

  async row_06_reverse() {
    const charge = await create();
    assert.equal((await pingpp.charges.reverse(charge.id)).reversed, true);
    assert.equal((await pingpp.charges.retrieve(charge.id)).reversed, true);
  },

  async row_07_pay() {
    const charge = await createPaid();
    const paid = await pingpp.charges.retrieve(charge.id);
    assert.equal(paid.paid, true);
    assert.deepEqual(paid.credential, {});
    assert.ok(paid.time_paid >= paid.created && paid.transaction_no);
  },

  async row_08_refund() {
    const charge = await createPaid({ amount: 1000 });
    const first = await pingpp.charges.createRefund(charge.id, { description: 'part', amount: 400 });
    assert.deepEqual([first.amount, first.status], [400, 'succeeded']);
    const all = await pingpp.charges.createRefund(charge.id, { description: '余下' });
    assert.equal(all.amount, 600);
    const error = await refusal(pingpp.charges.createRefund(charge.id, { description: 'more' }));
    assert.deepEqual([error.type, error.code], ['PingppInvalidRequest', undefined]);
    return { charge: charge.id, refunds: [first.id, all.id] };
  },

  async row_09_refund_list_and_retrieve() {
    const charge = await createPaid({ amount: 1000 });
    const made = [];
    for (const n of [1, 2, 3]) {
      made.push(await pingpp.charges.createRefund(charge.id, { description: `${n}`, amount: 100 }));
    }
    const list = await pingpp.charges.listRefunds(charge.id, { limit: 2 });
    assert.deepEqual(list.data.map((r) => r.id), [made[2].id, made[1].id]);
    assert.equal(list.has_more, true);
    assert.deepEqual(await pingpp.charges.retrieveRefund(charge.id, made[0].id), made[0]);
    assert.equal((await pingpp.charges.retrieve(charge.id)).refunds.data.length, 3);
  },

  async row_10_pay_for_an_event() {
    return (await createPaid()).id;
  },

  async row_10_event() {
    return pingpp.events.retrieve(settings.event_id);
  },

  // The SDK posts batch refunds to `charges/undefined/refunds`; the answer must be an ordinary 404.
  async row_11_broken_batch_refund() {
    const error = await refusal(pingpp.batchRefunds.create({
      app: settings.app_id, batch_no: orderNo(), charges: [NOWHERE], description: 'none',
    }));
    assert.deepEqual([error.type, error.param], ['PingppInvalidRequest', 'id']);
  },

  async row_12_errors() {
    const wrong = await refusal(pingpp.charges.retrieve(NOWHERE, 'sk_test_' + '0'.repeat(24)));
    assert.equal(wrong.type, 'PingppAuthenticationError');
    const unknown = await refusal(pingpp.charges.retrieve(NOWHERE));
    assert.deepEqual([unknown.type, unknown.param], ['PingppInvalidRequest', 'id']);
    const bad = await refusal(create({ currency: 'gold' }));
    assert.deepEqual([bad.type, bad.param], ['PingppInvalidRequest', 'currency']);
    const noMoney = { scan_code: '280000000000000002', terminal_id: 'T0001' };
    const refused = await refusal(create({ channel: 'alipay_scan', extra: noMoney }));
    assert.equal(refused.type, 'PingppChannelError');
    const order_no = orderNo();
    await create({ order_no });
    const used = await refusal(create({ order_no, amount: 1 }));
    assert.deepEqual([used.type, used.code], ['PingppChannelError', 'charge_order_no_used']);
  },

  // The SDK writes its body only when a socket connects, so a kept-alive one hangs for ever.
  async row_13_ten_calls_in_a_row() {
    const ids = [];
    for (let n = 0; n < 5; n += 1) {
      const charge = await create();
      ids.push((await pingpp.charges.retrieve(charge.id)).id);
    }
    assert.equal(new Set(ids).size, 5);
  },
};

rows[process.argv[2]]().then((result) => {
  console.log(JSON.stringify({ result: result === undefined ? null : result }));
}, (error) => {
  console.error(error.stack || error);
  console.error(JSON.stringify(error));
  process.exitCode = 1;
});
