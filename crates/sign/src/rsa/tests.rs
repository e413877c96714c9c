use proptest::prelude::*;

use super::*;

#[test]
fn every_form_of_a_key_reads_back_as_the_same_key() {
    let key = PrivateKey::generate();
    let pkcs1 = key.to_pkcs1_pem();
    assert!(pkcs1.starts_with("-----BEGIN RSA PRIVATE KEY-----\nMII"));
    assert!(key.to_pkcs8_pem().ends_with("\n-----END PRIVATE KEY-----\n"));
    let bare_pkcs1: String = pkcs1.lines().filter(|line| !line.starts_with('-')).collect();
    for again in [
        PrivateKey::from_pem(&key.to_pkcs8_pem()).unwrap(),
        PrivateKey::from_pem(&pkcs1).unwrap(),
        PrivateKey::from_pem(&format!("a note\r\n{}", pkcs1.replace('\n', "\r\n"))).unwrap(),
        PrivateKey::from_base64_der(&key.to_pkcs8_base64()).unwrap(),
        PrivateKey::from_base64_der(&bare_pkcs1).unwrap(),
        PrivateKey::from_base64_der(&format!(" {bare_pkcs1}\n")).unwrap(),
    ] {
        assert_eq!(again.to_pkcs8_base64(), key.to_pkcs8_base64());
        assert_eq!(again.public(), key.public());
        assert_eq!(again.sign_sha256(b"text"), key.sign_sha256(b"text"));
    }
}

#[test]
fn every_form_of_a_public_key_reads_back_as_the_same_key() {
    let key = PrivateKey::generate();
    let public = key.public();
    let pkcs1 = to_pem("RSA PUBLIC KEY", key.pair.public_key().as_ref());
    for again in [
        PublicKey::from_pem(&public.to_spki_pem()),
        PublicKey::from_pem(&pkcs1),
        PublicKey::from_base64_der(&public.to_spki_base64()),
    ] {
        assert_eq!(again, Ok(public.clone()));
    }
    assert_ne!(PrivateKey::generate().public(), public);
}

#[test]
fn a_changed_bit_of_message_or_signature_does_not_verify() {
    let key = PrivateKey::generate();
    let public = key.public();
    let (message, signature) = (b"amount=100", key.sign_sha256(b"amount=100"));
    assert_eq!(public.verify_sha256(message, &signature), Ok(()));
    for index in 0..message.len() {
        let mut changed = *message;
        changed[index] ^= 1;
        assert_eq!(public.verify_sha256(&changed, &signature), Err(BadSignature));
    }
    for index in 0..signature.len() {
        let mut changed = signature.clone();
        changed[index] ^= 1;
        assert_eq!(public.verify_sha256(message, &changed), Err(BadSignature));
    }
    let stranger = PrivateKey::generate().public();
    assert_eq!(stranger.verify_sha256(message, &signature), Err(BadSignature));
}

#[test]
fn a_base64_signature_is_taken_only_as_it_was_made() {
    let key = PrivateKey::generate();
    let (public, signature) = (key.public(), key.sign_sha256_base64(b"text"));
    assert_eq!(signature.len(), 344);
    let verify = |signature: &str| public.verify_sha256_base64(b"text", signature);
    assert_eq!(verify(&signature), Ok(()));
    for bad in [
        String::new(),
        "no base64!".to_owned(),
        format!("{signature}\n"),
        format!(" {signature}"),
        signature.trim_end_matches('=').to_owned(),
        STANDARD.encode([0; 256]),
    ] {
        assert_eq!(verify(&bad), Err(BadSignature), "{bad:?}");
    }
}

#[test]
fn parts_are_hashed_as_if_they_stood_behind_each_other() {
    let key = PrivateKey::generate();
    let signature = key.sign_sha256_base64(b"body/target");
    let verify =
        |parts: &[&[u8]]| key.public().verify_sha256_base64_of_parts(parts, &signature).is_ok();
    assert!(verify(&[b"body", b"", b"/target"]));
    assert!(!verify(&[b"/target", b"body"]));
}

/// A public key with a modulus of `bits` bits, all set. Only its form is looked at.
fn public_key_of(bits: usize, exponent: &[u8]) -> Result<PublicKey, KeyError> {
    let mut modulus = vec![0xff; bits.div_ceil(8)];
    modulus[0] >>= modulus.len() * 8 - bits;
    let numbers = [modulus.as_slice(), exponent];
    let numbers = numbers.map(|number| der::asn1::Uint::new(number).unwrap());
    PublicKey::from_der(&der::Encode::to_der(&numbers.to_vec()).unwrap())
}

#[test]
fn weak_and_monstrous_keys_are_refused() {
    const COMMON: [u8; 3] = [1, 0, 1];
    for bits in [2_048, 3_072, 8_192] {
        assert!(public_key_of(bits, &COMMON).is_ok(), "{bits}");
    }
    for bits in [512, 1_024, 2_040, 2_047] {
        assert_eq!(public_key_of(bits, &COMMON), Err(KeyError::TooShort), "{bits}");
    }
    for bits in [8_193, 16_384] {
        assert_eq!(public_key_of(bits, &COMMON), Err(KeyError::TooLong), "{bits}");
    }
    for exponent in [&[3][..], &[17], &[0xff, 0xff]] {
        assert_eq!(public_key_of(2_048, exponent), Err(KeyError::WeakExponent), "{exponent:?}");
    }
    assert!(public_key_of(2_048, &[1, 0, 3]).is_ok());
    assert_eq!(public_key_of(2_048, &[1, 0, 0]), Err(KeyError::NotRsa), "an even exponent");
}

#[test]
fn a_short_private_key_is_refused_in_both_forms() {
    let pkcs1 = STANDARD.decode(SHORT).unwrap();
    let pem = to_pem("RSA PRIVATE KEY", &pkcs1);
    assert_eq!(PrivateKey::from_pem(&pem).err(), Some(KeyError::TooShort));
    assert_eq!(PrivateKey::from_base64_der(SHORT).err(), Some(KeyError::TooShort));

    let behind = |tag: u8, head: &[u8], bytes: &[u8]| {
        let [.., high, low] = (head.len() + bytes.len()).to_be_bytes();
        [&[tag, 0x82, high, low], head, bytes].concat()
    };
    // Version 0, rsaEncryption, NULL.
    let head = hex::decode("020100300d06092a864886f70d0101010500").unwrap();
    let pkcs8 = STANDARD.encode(behind(0x30, &head, &behind(0x04, &[], &pkcs1)));
    assert_eq!(PrivateKey::from_base64_der(&pkcs8).err(), Some(KeyError::TooShort));
}

#[test]
fn text_that_is_no_key_is_refused() {
    for bad in [
        "",
        "key",
        "-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----",
        "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PUBLIC KEY-----",
        "-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----",
    ] {
        assert_eq!(PrivateKey::from_pem(bad).err(), Some(KeyError::NotAKey), "{bad}");
        assert_eq!(PublicKey::from_pem(bad).err(), Some(KeyError::NotAKey), "{bad}");
    }
    assert_eq!(PublicKey::from_base64_der("").err(), Some(KeyError::NotAKey));
    assert_eq!(PublicKey::from_base64_der("AAAA").err(), Some(KeyError::NotRsa));
    assert_eq!(PrivateKey::from_base64_der("AAAA").err(), Some(KeyError::NotRsa));
    let certificate = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----";
    assert_eq!(PublicKey::from_pem(certificate).err(), Some(KeyError::NotRsa));
}

#[test]
fn a_private_key_is_neither_printed_nor_taken_for_a_public_one() {
    let key = PrivateKey::generate();
    assert_eq!(format!("{key:?}"), "PrivateKey(***)");
    assert_eq!(PublicKey::from_pem(&key.to_pkcs8_pem()).err(), Some(KeyError::NotAKey));
    assert_eq!(PublicKey::from_base64_der(&key.to_pkcs8_base64()).err(), Some(KeyError::NotRsa));
    assert_eq!(PrivateKey::from_pem(&key.public().to_spki_pem()).err(), Some(KeyError::NotAKey));
    let fingerprint = key.public().fingerprint();
    assert_eq!(format!("{:?}", key.public()), format!("PublicKey({fingerprint})"));
}

#[test]
fn only_the_one_right_padding_verifies() {
    let key = PublicKey::from_base64_der(KEY).unwrap();
    assert_eq!(key.verify_sha256_base64(MESSAGE, GENUINE), Ok(()));
    for (name, signature) in FORGERIES {
        assert_eq!(STANDARD.decode(signature).map(|bytes| bytes.len()), Ok(256), "{name}");
        assert_eq!(key.verify_sha256_base64(MESSAGE, signature), Err(BadSignature), "{name}");
    }
    let genuine = STANDARD.decode(GENUINE).unwrap();
    for other in [&genuine[..255], &[&genuine[..], &[0]].concat(), &[&[0], &genuine[..]].concat()] {
        assert_eq!(key.verify_sha256(MESSAGE, other), Err(BadSignature), "{}", other.len());
    }
}

proptest! {
    #[test]
    fn no_text_or_bytes_make_the_readers_panic(text: String, bytes: Vec<u8>) {
        let pem = |label: &str| to_pem(label, &bytes);
        for text in [&text, &pem("PRIVATE KEY"), &pem("PUBLIC KEY"), &pem("CERTIFICATE")] {
            prop_assert!(PrivateKey::from_pem(text).is_err());
            prop_assert!(PublicKey::from_pem(text).is_err());
        }
        prop_assert!(PublicKey::from_base64_der(&text).is_err());
        prop_assert!(PublicKey::from_der(&bytes).is_err());
    }

    #[test]
    fn no_bytes_pass_for_a_signature(bytes: Vec<u8>) {
        let key = PublicKey::from_base64_der(KEY).unwrap();
        prop_assert_eq!(key.verify_sha256(MESSAGE, &bytes), Err(BadSignature));
    }
}

/// PKCS#1 of the private key of 1,128 bits that belongs to the Mersenne primes 2^607 - 1 and
/// 2^521 - 1: known to everybody, so no secret.
const SHORT: &str = "\
    MIICmwIBAAKBjgD/////////////////////////////////////////////////////////////////////////\
    /////////////3/////////////+AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\
    AAAAAAAAAAAAAAAAAAAAAAAAAAECAwEAAQKBjSp/1YAqf9WAKn/VgCp/1YAqf9WAKn/VgCp/1YAqf9WAKn/VgCp/\
    1YAqf9WAKn/VgCp/1YAqf9WAKn/VgCp/1YAqVVWqqlVVqqpVVaoAVf+qAFX/qgBV/6oAVf+qAFX/qgBV/6oAVf+q\
    AFX/qgBV/6oAVf+qAFX/qgBV/6oAVf+qAFX/qgBV/6oAVf+qAQJMf///////////////////////////////////\
    /////////////////////////////////////////////////////////////////wJCAf//////////////////\
    ////////////////////////////////////////////////////////////////////AkxVVaqqVVWqqlVVqqpV\
    VaqqVVWqqlVVqqpVVaqqVVWqqlVVqqpVVaqqVVWqqlVVqqpVVaqqVVWqqlVVqqpVVaqqVVWqqlVVqqpVVaqpAkIB\
    gIB/f4CAf3+AgH9/gIB/f4CAf3+AgH9/gIB/f4CAf3+AgH9/gIB/f4CAf3+AgH9/gIB/f4CAf3+AgH9/gIB/f38C\
    THve973ve973ve9773ve973ve973ve+973ve973ve973vve973ve973ve9773ve973ve973ve+973ve973ve973v\
    ve973ve973ve970=";

// A key whose private half was thrown away after it had signed what stands below: the padding of
// RFC 8017 §9.2 once as it must be, and otherwise with one mistake that has fooled verifiers.
const KEY: &str = "\
    MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAvzd5fY8P25ybOMbBtqZzMxu/EzKiwlE5jmXhpQSob2Xl\
    UlEQBbSNvFYR/gy4VChDZq+R1ymbiY+xgRrDJILIl2MH8jAdT6yXAtPU4tJID2V/w8PrkTQp99dRJZBKVsDeBeyJ\
    6RiiaIOv7/petmivhyJVKQ/7bt8eY2nkkZyAeofIZCeYezOh3GT2adR1vHTkt3DKRKKSUcam16yd13dkb11qSUok\
    GZ791Ndzq+FKAuup6btO7C6UeO2toeqMwKEMWJ86W+eYJDHSJPKrffZmwi/pMu40zZoGHo+Cg1R98id7LGBZMqYN\
    uand9yDGW6YkoZfqt12BU+lb39y29H2VxwIDAQAB";
const MESSAGE: &[u8] = b"vector";
const GENUINE: &str = "\
    bSsg9qBV3iQxptXlFrqBjTYc09JUi634AjM107JBTM3zBZC5boFRZ8UEGhho7F4m8umUI7fBvWFqcI+lQdUUEHEH\
    +SG0lBdzg6DuId2AHD2JXFWXwMtpA1hQPk3s6NNuJYgPDawlw81mgEfpnmk6GTEGF6QUYZ2ng2c9xjmraYv5d1Jt\
    4koKqxQDEXXmoTxvOXMnNpsUqUWRH6yhDbwU6U+1xz6wOsejMSFiF8XXADZOFJ/d/2h+ei4rGFCVdCCJFwHitsO3\
    czuLdf9fCkze6zqUdZdkf3HXzAhP9Mt8HBJUScOvtLWDudTgsvGvHQv8eUqDYWC/9r6Uq+Ca5JLwAg==";
const FORGERIES: [(&str, &str); 7] = [
    (
        "short padding, rubbish behind the hash",
        "ZlvceXFxHVroJaGRACJ4RFVuF902KBhE+gJervj31SYwadTxTC95jEBcJmOW0L7Ary9tL4/bmQBbNthO\
         9nBXmy1U1WsGnj6ofIYImm6AMirjQh2w175ooR8aAbpAj5lD7aXXfemJZTcKqT0dWm3SI/mqESIkUemw\
         XucbNvT2rTBsoPtLhbOryPCd3dkGXIcnaBEbWyQNpAuqL49srbGoa3deF05pRccd7naDtT0zZeXCfN7b\
         sToAyUZ5HyLH/teHqaIunpZleCj87CKgkSqUEpo6+dO6zslHXH06PWH1W2UO7kt6/+4eUaMCojjqQuin\
         VAPUwdK2XRGYJmXgFSLaag==",
    ),
    (
        "no NULL behind the algorithm",
        "pyaaSEPUGDHUmweq1JNG6XCZN4dIfiULoxmhzIoV8HD5dXFjc4xAQj41N1aDRIIDn3NxKSgNVbnVIDAX\
         XlEVHXDHSL+B48sX8RuNcXKM89orIe6gXGmAHRLnANACw1ukvFXQPYIFQfgxeCfaU1SVkh5FtNtrY+pM\
         lj5Ti2qqhRz2rMUt68aru0Xm03O/0KmigGwbCc6DDOBtPnpJLjb93mOrdx5IX++Ppj+NdQ4ZyKyjCIkC\
         YdvTwCvvBx4LAqoNClxe6SUFuFfUvBETt/e00uyl74RRqkyPZnGuBzATwGA6YOROIDKXyWQ4sB4dENCo\
         sPdzF/Vvyp5PWrpLy1EqeA==",
    ),
    (
        "length in the long form",
        "rbGk01T+Kthbcc4to6ZTdIenGduqvWg8PyIFa0yRg/YeIyiO5aMwMD+iZ+DbJ8GIsWvkp7mr4/Gidh9z\
         +yPA+oEQxguafwkcX4H9Z/w31pETzsGHmmzRT2SHGxmF6kiu5hdzyRn9MTqZPNcLaKisZA0rt75956ye\
         iC25m60gmxKbJ6pUD2rFGoXTtrjPCAFQ/qkTgIfsMPD60g9jW0w3HtoqozVWEUfx2TT+wPmoPmPxUmva\
         Mj6TZFelMIEzgGKc6I71VyIzSqv1sP0eJr9q2icU/ExTTU6gskvRF3qkwEhWrtOLiyFh0ARqa3t6RQ8w\
         BB6NEntgzm/kYNmaaFpDKA==",
    ),
    (
        "encryption padding",
        "LqmWOmw+RLNuWxfHgEgrJUI0KS7seCtUHwLwSkYdLcwo3ZUMUwKUs9JXWL30e/0pOzImJYhIa8M90zU6\
         XcdbHMDXVLH3dAnR5qNa64RNwkzxZVr4gVMiOtkzgXNkpY0+jUHsR7oy/DGLZdnaMCKVnep76bA1dvVq\
         0/6lf4gTqjWsdqw5TfV5jfQMvGBReaQaOq07sjNNM5O6C3Omn9bd5N+q0MORTwdIpQjK9QqXaAYMU7Hx\
         Ld8AkuLsAkEA2FxkaE+kWCDojGxUCRvjsrZ72BuUYxvO73C/xo0otmpemJtRzUlJPYuTbczgTfZb6jh0\
         QV/0tc1ge7tBy7BTRevRDQ==",
    ),
    (
        "one padding byte changed",
        "CQFsN5DT+rtsj/DBqw1asp8CBAazHaJIOCSRw0cBoOeDK8t+cMQG3gDriv3bN5RuyqiZeFtHfj92zMGj\
         vCjm+5etlDdmURgOcekGGXECThayqC6vpTmiHdc0CXWL5J89eG9joA9WAqW0MyTPaeWNN5RLmAoVBMvB\
         NK0KHm7eR6HZJ/Pbi6uG1CzaDnWqCGjSto8Q96nmkfLfLNG3nk7xr+7kFheqfTp5ZFlw9oivbZ1c1ljD\
         HnwseK0naCvW+8eXS/1dHvDrElsBzNe579C5eWkpT3aIHGjjxbajx6U9bWNV7DKJ8FIErfoedV3PVz0w\
         03fEng+pFaUdAdg4CZooMw==",
    ),
    (
        "SHA-1",
        "hsW7CEG4PzFGU5paSnuoBrrf/4pwdITg8bwlA27jXGEdiFd9jwVPqv3BbEwDjbZzWhFH7mDvaNd+ywSU\
         gdZ64jF//ekzH9/P8Iijcae3chz46uZoX13KXTfvS07fq0WizMvLPPtSMSQy4MqC+GGwfI7zi2aWWEsN\
         Xr3VIFyPcSAm3RtsWaKwCgjxzTfUOZYruGQ9hsSCW2xLapVaP5MLknaRwTZnONbkkc0ewFHBNzHSgq7r\
         f1uBJeYvYQL9mQqYAx/XtIcdJukuhFCrf92hw+lyR9+nJQWDHWsImJY6xFoSUWncaLywOXV0MZWYQC1I\
         nOloR3FhM9FNiEDdB+C7/w==",
    ),
    (
        "the bare hash",
        "qPC/bQ7N48YcPtyJgYXRrKZKfZVDAIwoMuuTBE/V/W/zUGpzApmxeD6VUfkgUv5p7+cvr2baWtdiUFt8\
         ReB5meqQ2e+L9HISeVA/8W63lG9OaS6fCzVugvcqYMMuG4s8UwSGyLR48CmgcjZVg3m7s9lrBr6rLUjM\
         LX7HegbRJNdeBtf9MMz2SWjCfYrNg69IunSNmA5Pf+LS0ioAueqyo7xlpobQDDaH3+vI8PwVqndyZ6AK\
         /rdAC1Zf14htWumyjyfUoQutC7FWoVvEwCuwee3kQJWTYAO33kxLK7OywpB42nYyuaLGhswEARHKBve9\
         qg0DkCHDgpuHA841MgjToA==",
    ),
];
