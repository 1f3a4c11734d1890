//! Judges each line of standard input: accept or refuse. ISSUER=... AUDIENCE=... cargo run
use std::error::Error;
use std::io::{self, BufRead, Write};
use std::time::{Duration, Instant};

use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde_json::{Map, Value};

/// An unknown key id is a reason to fetch the keys, once in this time.
const COOL_DOWN: Duration = Duration::from_secs(30);

type Outcome<T> = Result<T, Box<dyn Error>>;

struct Verifier {
    jwks_uri: String,
    validation: Validation,
    keys: JwkSet,
    asked_at: Option<Instant>,
}

impl Verifier {
    fn new(issuer: &str, audience: &str) -> Outcome<Self> {
        let mut validation = Validation::new(Algorithm::ES256);
        validation.set_issuer(&[issuer]);
        validation.set_audience(&[audience]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        validation.validate_nbf = true;
        let jwks_uri = format!("{issuer}/.well-known/jwks.json");
        let keys = fetch(&jwks_uri)?;
        Ok(Self { jwks_uri, validation, keys, asked_at: None })
    }

    fn verify(&mut self, token: &str) -> Outcome<Map<String, Value>> {
        let header = decode_header(token)?;
        // The library checks no typ.
        if header.typ.as_deref() != Some("at+jwt") {
            return Err("no access token".into());
        }
        let kid = header.kid.ok_or("no kid")?;
        let may_ask = self.asked_at.is_none_or(|at| at.elapsed() >= COOL_DOWN);
        if self.keys.find(&kid).is_none() && may_ask {
            self.asked_at = Some(Instant::now());
            self.keys = fetch(&self.jwks_uri)?;
        }
        let key = DecodingKey::from_jwk(self.keys.find(&kid).ok_or("unknown key")?)?;
        Ok(decode::<Map<String, Value>>(token, &key, &self.validation)?.claims)
    }
}

fn fetch(uri: &str) -> Outcome<JwkSet> {
    Ok(ureq::get(uri).call()?.body_mut().read_json()?)
}

fn main() -> Outcome<()> {
    let mut verifier = Verifier::new(&std::env::var("ISSUER")?, &std::env::var("AUDIENCE")?)?;
    for line in io::stdin().lock().lines() {
        let verdict = if verifier.verify(&line?).is_ok() { "accept" } else { "refuse" };
        println!("{verdict}");
        io::stdout().flush()?;
    }
    Ok(())
}
