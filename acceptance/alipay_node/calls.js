'use strict';
// The official Node SDK for Alipay against the simulator, checking every answer's signature.
//
// Usage: node calls.js ROW SETTINGS. Prints one line of JSON: {"result": …}.

const assert = require('node:assert/strict');
const crypto = require('node:crypto');
const http = require('node:http');
const { AlipaySdk } = require('alipay-sdk');

const settings = JSON.parse(process.argv[3]);

function client(alipayPublicKey) {
  return new AlipaySdk({
    appId: settings.app_id,
    privateKey: settings.app_private_key,
    keyType: settings.key_type,
    alipayPublicKey,
    gateway: settings.gateway_url,
  });
}

const sdk = client(settings.alipay_public_key);

function call(method, bizContent, more) {
  return sdk.exec(method, { bizContent, ...more }, { validateSign: true });
}

function number() {
  return crypto.randomBytes(10).toString('hex');
}

function control(outTradeNo, order) {
  return new Promise((resolve, reject) => {
    const url = `${settings.simulator_url}/control/trades/${outTradeNo}`;
    const headers = { 'Content-Type': 'application/json' };
    const request = http.request(url, { method: 'POST', headers }, (response) => {
      response.resume();
      response.on('end', () => {
        if (response.statusCode === 200) resolve(); else reject(new Error(`${response.statusCode}`));
      });
    });
    request.on('error', reject);
    request.end(JSON.stringify(order));
  });
}

async function precreate(outTradeNo, more) {
  const answer = await call('alipay.trade.precreate', {
    out_trade_no: outTradeNo, total_amount: '19.90', subject: '龙井 & <茶>',
  }, more);
  assert.equal(answer.code, '10000', JSON.stringify(answer));
  assert.equal(answer.outTradeNo, outTradeNo);
  assert.ok(answer.qrCode.startsWith('http'));
  return answer;
}

const rows = {
  async create_query_refund() {
    const outTradeNo = number();
    await precreate(outTradeNo, { notify_url: settings.notify_url });
    const unseen = await call('alipay.trade.query', { out_trade_no: outTradeNo });
    assert.deepEqual([unseen.code, unseen.subCode], ['40004', 'ACQ.TRADE_NOT_EXIST']);
    await control(outTradeNo, { do: 'pay' });
    const paid = await call('alipay.trade.query', { out_trade_no: outTradeNo });
    assert.deepEqual([paid.tradeStatus, paid.totalAmount], ['TRADE_SUCCESS', '19.90']);
    assert.ok(paid.tradeNo);

    const part = { out_trade_no: outTradeNo, refund_amount: '5.00', out_request_no: number() };
    const first = await call('alipay.trade.refund', part);
    assert.deepEqual([first.code, first.fundChange, first.refundFee], ['10000', 'Y', '5.00']);
    const again = await call('alipay.trade.refund', part);
    assert.deepEqual([again.code, again.fundChange, again.refundFee], ['10000', 'N', '5.00']);
    const other = await call('alipay.trade.refund', { ...part, refund_amount: '6.00' });
    assert.equal(other.subCode, 'ACQ.DISCORDANT_REPEAT_REQUEST');
    const found = await call('alipay.trade.fastpay.refund.query', {
      out_trade_no: outTradeNo, out_request_no: part.out_request_no,
    });
    assert.deepEqual([found.refundStatus, found.refundAmount], ['REFUND_SUCCESS', '5.00']);
    const rest = await call('alipay.trade.refund', {
      out_trade_no: outTradeNo, refund_amount: '14.90', out_request_no: number(),
    });
    assert.deepEqual([rest.code, rest.refundFee], ['10000', '19.90']);
    const closed = await call('alipay.trade.query', { out_trade_no: outTradeNo });
    assert.equal(closed.tradeStatus, 'TRADE_CLOSED');
    return outTradeNo;
  },

  async close() {
    const outTradeNo = number();
    await precreate(outTradeNo);
    await control(outTradeNo, { do: 'scan' });
    const closed = await call('alipay.trade.close', { out_trade_no: outTradeNo });
    assert.equal(closed.code, '10000', JSON.stringify(closed));
    const found = await call('alipay.trade.query', { out_trade_no: outTradeNo });
    assert.equal(found.tradeStatus, 'TRADE_CLOSED');
    const again = await call('alipay.trade.close', { out_trade_no: outTradeNo });
    assert.equal(again.code, '40004');
  },

  async page_pay() {
    const outTradeNo = number();
    const url = sdk.pageExecute('alipay.trade.page.pay', 'GET', {
      bizContent: {
        out_trade_no: outTradeNo, total_amount: '1.00', subject: '页面支付',
        product_code: 'FAST_INSTANT_TRADE_PAY',
      },
    });
    const response = await fetch(url, { redirect: 'manual' });
    assert.equal(response.status, 302);
    assert.match(response.headers.get('location'), /\/cashier\//);
    await control(outTradeNo, { do: 'pay' });
    const paid = await call('alipay.trade.query', { out_trade_no: outTradeNo });
    assert.equal(paid.tradeStatus, 'TRADE_SUCCESS');
  },

  async a_wrong_key_is_noticed() {
    const { publicKey } = crypto.generateKeyPairSync('rsa', { modulusLength: 2048 });
    const stranger = client(publicKey.export({ type: 'spki', format: 'pem' }).trim());
    const asked = stranger.exec(
      'alipay.trade.query', { bizContent: { out_trade_no: number() } }, { validateSign: true });
    await assert.rejects(asked, /验签/);
  },

  // Whether each set of signed fields is signed by the key in the settings.
  async verify() {
    return settings.signed.map((fields) => sdk.checkNotifySignV2(fields));
  },
};

rows[process.argv[2]]().then((result) => {
  console.log(JSON.stringify({ result: result === undefined ? null : result }));
}, (error) => {
  console.error(error.stack || error);
  process.exitCode = 1;
});
