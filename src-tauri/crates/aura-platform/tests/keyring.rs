//! The key store port against a private Secret Service.
#![allow(clippy::unwrap_used)] // A test fails by panicking.

use std::process::Command;
use std::time::{Duration, Instant};

use aura_core::error::ErrorCode;
use aura_core::ports::Secrets;
use aura_platform::Keyring;
use aura_tests::keyring::{Bus, freeze, with_bus};
use aura_tests::process::run as run_program;
use secrecy::{ExposeSecret, SecretString};

fn run(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test);
}

#[test]
fn keys_are_saved_replaced_and_removed() {
    with_bus("keys_are_saved_replaced_and_removed", Bus::with_store, || {
        run(async {
            Keyring.check().await.unwrap();
            assert!(Keyring.get("groq").await.unwrap().is_none());
            for secret in ["gsk_first", "gsk_second ü"] {
                Keyring.set("groq", SecretString::from(secret)).await.unwrap();
                assert_eq!(Keyring.get("groq").await.unwrap().unwrap().expose_secret(), secret);
            }
            Keyring.set("gemini", SecretString::from("other")).await.unwrap();
            // Other programs find it under AURA's service name.
            let seen = run_program(
                Command::new("secret-tool").args(["lookup", "service", "aura", "username", "groq"]),
                "libsecret-tools",
            );
            assert_eq!(seen.trim(), "gsk_second ü");
            Keyring.delete("groq").await.unwrap();
            Keyring.delete("groq").await.unwrap();
            assert!(Keyring.get("groq").await.unwrap().is_none());
            assert_eq!(Keyring.get("gemini").await.unwrap().unwrap().expose_secret(), "other");
        });
    });
}

#[test]
fn a_store_that_does_not_answer_times_out() {
    with_bus("a_store_that_does_not_answer_times_out", Bus::with_store, || {
        run(async {
            Keyring.check().await.unwrap();
            freeze(true);
            let begun = Instant::now();
            let error = Keyring.get("groq").await.unwrap_err();
            assert_eq!(error.code, ErrorCode::Keyring);
            assert!(begun.elapsed() < Duration::from_secs(7));
            assert!(error.message.contains("Unlock"), "{}", error.message);
            freeze(false);
            assert!(Keyring.get("groq").await.unwrap().is_none());
        });
    });
}

#[test]
fn a_missing_store_is_reported() {
    with_bus("a_missing_store_is_reported", Bus::start, || {
        run(async {
            let error = Keyring.check().await.unwrap_err();
            assert_eq!(error.code, ErrorCode::Keyring);
            assert!(error.message.contains("gnome-keyring"), "{}", error.message);
            assert!(Keyring.set("groq", SecretString::from("gsk")).await.is_err());
        });
    });
}
