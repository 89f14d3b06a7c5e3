//! Everything that is stored about one run.

use maud::{Markup, Render, html};

use crate::expose::execution_view::ExecutionView;
use crate::page::address::Address;
use crate::page::number::{duration, moment};
use crate::page::reason;

/// The facts of a run that were reported, as far as the reader may see them.
#[must_use]
pub fn facts(address: &Address, run: &ExecutionView) -> Markup {
    // Names every field, so that none is forgotten.
    let ExecutionView {
        app,
        kind,
        status,
        outcome,
        exit_code,
        exit_code_explanation,
        error,
        error_category,
        error_category_reported,
        signature,
        reason,
        os_type,
        os_version,
        pve_version,
        ct_type,
        disk_size,
        core_count,
        ram_size,
        method,
        install_duration,
        cpu_vendor,
        cpu_model,
        gpu_vendor,
        gpu_model,
        gpu_passthrough,
        ram_speed,
        arch,
        platform,
        has_arm,
        kernel_version,
        app_version,
        failed_command,
        failed_line,
        repo_source,
        repo_slug,
        template_kind,
        custom_entrypoint,
        host_managed_network,
        runtime_source,
        runtime_ref,
        disableip6,
        generation,
        first_seen,
        last_seen,
        finished_at,
        steps,
    } = run;
    let script = app.as_ref().map(|app| {
        html! { a href=(address.to(&["scripts", app]).href()) { bdi { (app) } } }
    });
    let code = exit_code.map(|code| {
        html! {
            a href=(address.to(&["exit-codes", &code.to_string()]).href()) { (code) }
            @if let Some(text) = exit_code_explanation { " – " (text) }
        }
    });
    html! {
        dl.facts {
            (fact("Script", script))
            (fact("Outcome", Some(self::outcome(*outcome))))
            (fact("Exit code", code))
            @if let Some(reason) = reason {
                (fact("Reason", Some(html! {
                    @match signature {
                        Some(id) => (reason::title(address, id, Some(&reason.title))),
                        None => (reason.title),
                    }
                })))
                (fact("What to do", reason.hint))
                (fact("About", text(reason.subject.as_ref())))
                (fact("To be fixed by", Some(reason::blame(Some(reason.blame)))))
                (fact("Kind", Some(reason.category.replace('_', " "))))
                (fact("Rule", reason.id.map(|id| html! { a href=(address.to(&["reasons", id]).href()) { code { (id) } } })))
                (fact("Line of the log", code_text(reason.line.as_ref())))
            }
            (fact("Failed command", code_text(failed_command.as_ref())))
            (fact("At line of the script", *failed_line))
            (fact("End of the log", error.as_ref().map(|error| html! { pre tabindex="0" { bdi { (error) } } })))
            (fact("Category", *error_category))
            (fact("Category as reported", text(error_category_reported.as_ref())))
            (fact("Began", Some(moment(*first_seen))))
            (fact("Last report", Some(moment(*last_seen))))
            (fact("Ended", finished_at.map(moment)))
            (fact("Took", install_duration.map(|seconds| duration(seconds.into()))))
            (fact("Status as reported", Some(status.as_str())))
            (fact("Steps", (!steps.is_empty()).then(|| html! {
                ol.plain { @for step in steps { li { (step.status.as_str()) ": " (moment(step.at)) } } }
            })))
            (fact("Type", kind.as_deref().map(self::kind)))
            (fact("Container", ct_type.map(privilege)))
            (fact("System", text(os_type.as_ref())))
            (fact("Version of the system", text(os_version.as_ref())))
            (fact("Proxmox VE", text(pve_version.as_ref())))
            (fact("Cores", *core_count))
            (fact("Memory", ram_size.map(|mb| format!("{mb} MB"))))
            (fact("Disk", disk_size.map(|gb| format!("{gb} GB"))))
            (fact("Settings", text(method.as_ref())))
            (fact("Version of the application", text(app_version.as_ref())))
            (fact("Kernel", text(kernel_version.as_ref())))
            (fact("Architecture", text(arch.as_ref())))
            (fact("Supports ARM", has_arm.map(yes_or_no)))
            (fact("Platform", text(platform.as_ref())))
            (fact("CPU vendor", text(cpu_vendor.as_ref())))
            (fact("CPU", text(cpu_model.as_ref())))
            (fact("GPU vendor", text(gpu_vendor.as_ref())))
            (fact("GPU", text(gpu_model.as_ref())))
            (fact("GPU passed through", text(gpu_passthrough.as_ref())))
            (fact("Speed of the memory", text(ram_speed.as_ref())))
            (fact("Repository", text(repo_source.as_ref())))
            (fact("Repository slug", text(repo_slug.as_ref())))
            (fact("Scripts loaded from", text(runtime_source.as_ref())))
            (fact("Revision of the scripts", text(runtime_ref.as_ref())))
            (fact("Created from", text(template_kind.as_ref())))
            (fact("Own entry point", custom_entrypoint.map(yes_or_no)))
            (fact("Network managed by the host", host_managed_network.map(yes_or_no)))
            (fact("IPv6 switched off", disableip6.map(yes_or_no)))
            (fact("Generation of the client", Some(generation.number())))
        }
    }
}

/// A row of the list; nothing for what was not reported or is not shown.
fn fact(name: &str, value: Option<impl Render>) -> Markup {
    html! { @if let Some(value) = value { dt { (name) } dd { (value) } } }
}

fn text(value: Option<&String>) -> Option<Markup> {
    value.map(|text| html! { bdi { (text) } })
}

fn code_text(value: Option<&String>) -> Option<Markup> {
    value.map(|text| html! { code { bdi { (text) } } })
}

fn yes_or_no(value: bool) -> &'static str {
    if value { "yes" } else { "no" }
}

fn privilege(ct_type: i32) -> &'static str {
    match ct_type {
        0 => "privileged container",
        1 => "unprivileged container",
        _ => "virtual machine",
    }
}

/// The type of a script in words.
pub(super) fn kind(kind: &str) -> &str {
    match kind {
        "lxc" => "container",
        "vm" => "virtual machine",
        "addon" => "add-on",
        "pve" => "host tool",
        "turnkey" => "TurnKey",
        other => other,
    }
}

/// The outcome of a run; `None` while it may still be going on.
pub(super) fn outcome(outcome: Option<&str>) -> Markup {
    let word = outcome.unwrap_or("running");
    html! { span class={ "tag outcome-" (word) } { (word) } }
}
