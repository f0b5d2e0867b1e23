//! Functions. Terraform: `aws_lambda_function`.
//!
//! The code is compared by its hash (`code_sha256`); `source_code_hash` is whatever its author wrote into the configuration, and where the
//! package came from (`filename`, `s3_key`) Lambda does not remember. `version` and `last_modified` move by themselves.

use aws_sdk_lambda::operation::get_function::GetFunctionOutput;
use aws_sdk_lambda::types::{
    ApplicationLogLevel, Architecture, Concurrency, FunctionConfiguration, ImageConfig, LogFormat, LoggingConfig,
    PackageType, Runtime, SnapStartApplyOn, SystemLogLevel, TracingMode, VpcConfigResponse,
};

use super::{GONE, functions};
use crate::cloud::aws::reader::{Context, Reader, Scope};
use crate::cloud::{OrAbsent, Properties, ReadError};

/// `ListFunctions`; `GetFunction` (tags, reserved concurrency) and `GetFunctionCodeSigningConfig` for each.
pub const READER: Reader = Reader {
    service: "lambda",
    types: &["aws_lambda_function"],
    scope: Scope::Regional,
    read: |cx| Box::pin(read(cx)),
};

/// Regions and partitions without code signing answer with any of these.
const NO_CODE_SIGNING: &[&str] = &["AccessDeniedException", "ResourceNotFoundException", "NotImplemented"];

async fn read(cx: Context) -> Result<(), ReadError> {
    let names = functions(&cx, cx.only()).await?;
    let names = names.into_iter().filter_map(|function| function.function_name);
    cx.for_each_allowed(names, read_one).await
}

async fn read_one(cx: Context, name: String) -> Result<(), ReadError> {
    let Some(answer) = cx.lambda().get_function().function_name(&name).send().await.or_absent(GONE)? else {
        return Ok(());
    };
    let Some(function) = answer.configuration() else {
        return Err(ReadError::incomplete("GetFunction", "the configuration"));
    };
    let signing = if function.package_type() == Some(&PackageType::Image) {
        None
    } else {
        let asked = cx.lambda().get_function_code_signing_config().function_name(&name).send();
        asked.await.or_absent(NO_CODE_SIGNING)?
    };
    let signing = signing.map(|signing| signing.code_signing_config_arn);
    let properties = shape(function)
        .told("code_signing_config_arn", signing)
        .set("image_uri", answer.code().and_then(|code| code.image_uri()))
        .set("reserved_concurrent_executions", reserved(&answer))
        .tags(answer.tags.unwrap_or_default());
    cx.emit(cx.resource("aws_lambda_function", &name).name(&name).properties(properties)).await;
    Ok(())
}

/// Terraform writes -1 for "no limit of its own".
fn reserved(answer: &GetFunctionOutput) -> i32 {
    let reserved = answer.concurrency().and_then(Concurrency::reserved_concurrent_executions);
    reserved.unwrap_or(-1)
}

fn shape(function: &FunctionConfiguration) -> Properties {
    let dead_letters = function.dead_letter_config().and_then(|dead| dead.target_arn());
    let variables = function.environment().and_then(|environment| environment.variables());
    let image = function.image_config_response().and_then(|image| image.image_config());
    let snap_start = function.snap_start().and_then(|snap| snap.apply_on());
    let tracing = function.tracing_config().and_then(|tracing| tracing.mode());
    let architectures: Vec<_> = function.architectures().iter().map(Architecture::as_str).collect();
    let layers: Vec<_> = function.layers().iter().map(|layer| layer.arn()).collect();
    let file_systems = function
        .file_system_configs()
        .iter()
        .map(|mount| Properties::new().set("arn", mount.arn()).set("local_mount_path", mount.local_mount_path()));
    Properties::new()
        .set("arn", function.function_arn())
        .set("function_name", function.function_name())
        .told("architectures", Some(architectures).filter(|all| !all.is_empty()))
        .set("code_sha256", function.code_sha256())
        .set("source_code_size", function.code_size())
        .set("description", function.description())
        .set("handler", function.handler())
        .set("kms_key_arn", function.kms_key_arn())
        .set("layers", layers)
        .told("memory_size", function.memory_size())
        .told("package_type", function.package_type().map(PackageType::as_str))
        .set("role", function.role())
        .set("runtime", function.runtime().map(Runtime::as_str))
        .set("signing_job_arn", function.signing_job_arn())
        .set("signing_profile_version_arn", function.signing_profile_version_arn())
        .told("timeout", function.timeout())
        .block("dead_letter_config", dead_letters.map(|target| Properties::new().set("target_arn", target)))
        .block("environment", variables.map(|variables| Properties::new().set("variables", variables)))
        .block(
            "ephemeral_storage",
            function.ephemeral_storage().map(|storage| Properties::new().set("size", storage.size())),
        )
        .blocks("file_system_config", file_systems)
        .block("image_config", image.map(image_config))
        .block("logging_config", function.logging_config().map(logging))
        .block(
            "snap_start",
            snap_start
                .filter(|on| **on != SnapStartApplyOn::None)
                .map(|on| Properties::new().set("apply_on", on.as_str())),
        )
        .block(
            "tracing_config",
            Some(Properties::new().set("mode", tracing.unwrap_or(&TracingMode::PassThrough).as_str())),
        )
        .block("vpc_config", function.vpc_config().and_then(vpc))
}

fn image_config(image: &ImageConfig) -> Properties {
    Properties::new()
        .set("command", image.command())
        .set("entry_point", image.entry_point())
        .set("working_directory", image.working_directory())
}

fn logging(logging: &LoggingConfig) -> Properties {
    Properties::new()
        .set("application_log_level", logging.application_log_level().map(ApplicationLogLevel::as_str))
        .set("log_format", logging.log_format().map(LogFormat::as_str))
        .set("log_group", logging.log_group())
        .set("system_log_level", logging.system_log_level().map(SystemLogLevel::as_str))
}

/// A function that once was in a VPC keeps an empty block.
fn vpc(of: &VpcConfigResponse) -> Option<Properties> {
    if of.subnet_ids().is_empty() && of.security_group_ids().is_empty() {
        return None;
    }
    let properties = Properties::new()
        .set("ipv6_allowed_for_dual_stack", of.ipv6_allowed_for_dual_stack().unwrap_or(false))
        .set("security_group_ids", of.security_group_ids())
        .set("subnet_ids", of.subnet_ids())
        .told("vpc_id", of.vpc_id());
    Some(properties)
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_lambda::types::{Concurrency, EnvironmentResponse, SnapStartResponse};
    use serde_json::json;

    #[test]
    fn what_was_never_set_is_an_empty_block_or_the_default() {
        let function = FunctionConfiguration::builder()
            .vpc_config(VpcConfigResponse::builder().vpc_id("").build())
            .snap_start(SnapStartResponse::builder().apply_on(SnapStartApplyOn::None).build())
            .build();
        let properties = shape(&function);
        for block in ["vpc_config", "snap_start", "environment", "dead_letter_config", "file_system_config"] {
            assert_eq!(properties.get(block), Some(&json!([])), "{block}");
        }
        assert_eq!(properties.get("tracing_config"), Some(&json!([{"mode": "PassThrough"}])));
        assert_eq!(properties.get("architectures"), None, "not told");
        assert_eq!(reserved(&GetFunctionOutput::builder().build()), -1);
    }

    #[test]
    fn blocks_in_terraforms_shape() {
        let function = FunctionConfiguration::builder()
            .environment(EnvironmentResponse::builder().variables("A", "1").build())
            .image_config_response(
                aws_sdk_lambda::types::ImageConfigResponse::builder()
                    .image_config(ImageConfig::builder().command("serve").build())
                    .build(),
            )
            .snap_start(SnapStartResponse::builder().apply_on(SnapStartApplyOn::PublishedVersions).build())
            .vpc_config(VpcConfigResponse::builder().vpc_id("vpc-1").subnet_ids("subnet-1").build())
            .build();
        let properties = shape(&function);
        assert_eq!(properties.get("environment"), Some(&json!([{"variables": {"A": "1"}}])));
        assert_eq!(
            properties.get("image_config"),
            Some(&json!([{"command": ["serve"], "entry_point": [], "working_directory": null}]))
        );
        assert_eq!(properties.get("snap_start"), Some(&json!([{"apply_on": "PublishedVersions"}])));
        let answer = GetFunctionOutput::builder()
            .concurrency(Concurrency::builder().reserved_concurrent_executions(0).build())
            .build();
        assert_eq!(reserved(&answer), 0, "switched off, not unlimited");
    }
}
