//! Daily bills, unpacked with the zip library and read as GBK.

use std::io::{Cursor, Read};

use encoding_rs::GBK;
use serde_json::{Value, json};

use crate::harness::World;

async fn ask(world: &World, kind: &str, date: &str) -> Value {
    let content = json!({"bill_type": kind, "bill_date": date});
    world.call("alipay.data.dataservice.bill.downloadurl.query", content).await
}

#[tokio::test]
async fn a_day_that_is_over_has_a_bill_of_its_payments_and_refunds() {
    let world = World::new().await;
    world.open_paid("A1", None).await;
    world.open("A2", None).await;
    world.advance(60);
    let refund = json!({"out_trade_no": "A1", "out_request_no": "R1", "refund_amount": "0.40"});
    world.call("alipay.trade.refund", refund).await;
    assert_eq!(ask(&world, "trade", "2026-11-22").await["sub_code"], "isp.bill_not_exist");
    world.advance(86_400);
    for (kind, date) in [
        ("trade", "2026-11-21"),
        ("trade", "2026-11-23"),
        ("trade", "2026-11"),
        ("signcustomer", "2026-11-22"),
    ] {
        assert_eq!(ask(&world, kind, date).await["sub_code"], "isp.bill_not_exist", "{date}");
    }
    let url = ask(&world, "trade", "2026-11-22").await["bill_download_url"].clone();
    let url = url.as_str().unwrap();
    let bytes = world.http.get(url).send().await.unwrap().bytes().await.unwrap();
    let mut zip = zip::ZipArchive::new(Cursor::new(bytes)).unwrap();
    let mut files = Vec::new();
    for index in 0..zip.len() {
        let mut file = zip.by_index(index).unwrap();
        let name = GBK.decode(file.name_raw()).0.into_owned();
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).unwrap();
        files.push((name, GBK.decode(&bytes).0.into_owned()));
    }
    assert_eq!(files[0].0, "2088000000000001_20261122_业务明细.csv");
    assert_eq!(files[1].0, "2088000000000001_20261122_业务明细(汇总).csv");
    let lines: Vec<&str> = files[0].1.lines().collect();
    assert_eq!(lines[0], "#支付宝业务明细查询");
    assert_eq!(lines[1], "#账号：[2088000000000001]");
    assert!(lines[2].contains("[2026年11月22日 00:00:00]   终止日期：[2026年11月23日 00:00:00]"));
    assert_eq!(lines[4].split(',').count(), 25);
    let cells = |line: &str| -> Vec<String> { line.split(',').map(str::to_owned).collect() };
    let (payment, back) = (cells(lines[5]), cells(lines[6]));
    assert_eq!(payment.len(), 25);
    assert_eq!(
        [&payment[1], &payment[2], &payment[3], &payment[11], &payment[21], &payment[22]],
        ["A1\t", "交易\t", "茶 tea\t", "1.00", "\t", "-0.01"]
    );
    assert_eq!(
        [&back[1], &back[2], &back[5], &back[11], &back[21], &back[22]],
        ["A1\t", "退款\t", "2026-11-22 10:01:00\t", "-0.40", "R1\t", "0.00"]
    );
    assert!(lines[7].starts_with("#---"));
    assert_eq!(lines[8], "#交易合计：1笔，商家实收共1.00元，商家优惠共0.00元");
    assert_eq!(lines[9], "#退款合计：1笔，商家实收退款共-0.40元，商家优惠退款共0.00元");
    assert!(files[1].1.contains("合计\t,\t,1,1,0.60,0.60,0.00,0.00,0.00,-0.01,0.00,0.59"));
    world.advance(30);
    assert_eq!(world.get(url).await.0, 403, "the address lives for thirty seconds");
}
