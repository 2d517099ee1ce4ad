#Requires -Version 5.1
<#
.SYNOPSIS
    Carries out an approved change of this host.
.DESCRIPTION
    Host      conn1.contoso.test
    Changes   7. enrollment policy server https://ces.contoso.test/ADPolicyProvider_CEP_Kerberos/service.svc/CEP on conn1
                 interrupts: the cmdlet contacts the URL while it adds it
                 takes effect: at the next request
    Rights    local administrator on the connector host
    Valid     until 2026-11-30T09:12:00Z
    Plan      559e8c8f3eeb4204afba7cb544164e780697516b36c09187dbad24394c85f144
    Made      by remediate 0.1.0: remediate script plan.json --out FOLDER
              from facts that were read at 2026-11-23T09:12:00Z

    It reads every value before it writes one. Where something else stands than was approved, nothing is changed.
    It asks before each change. A value that is as wanted already is left as it is. After an interruption, run it
    again: it goes on where it stopped. What it does is recorded in result.json beside it; send that file back.
    To read it: '#region plan' says what is changed, '#region main', at the end, how; between them are functions.
.PARAMETER ResultPath
    The record that change.ps1 writes.
.PARAMETER RollbackPath
    The record that rollback.ps1 writes.
.EXAMPLE
    powershell.exe -NoProfile -ExecutionPolicy RemoteSigned -File .\change.ps1 -WhatIf
    Shows what it would write, and writes nothing.
.EXAMPLE
    powershell.exe -NoProfile -ExecutionPolicy RemoteSigned -File .\change.ps1
    Asks before each change.
.EXAMPLE
    powershell.exe -NoProfile -ExecutionPolicy RemoteSigned -Command "& .\change.ps1 -Confirm:$false; exit $LASTEXITCODE"
    From cmd or a scheduled task: asks nothing.
.NOTES
    Exit codes:
    0  done, or nothing to do
    1  a value could not be read; nothing was changed
    2  with -WhatIf: there is something to do
    3  refused; nothing was changed
    4  stopped part-way, or some of it was declined: the record says where
#>
[CmdletBinding(SupportsShouldProcess = $true, ConfirmImpact = 'High')]
param(
    [string] $ResultPath = (Join-Path -Path $PSScriptRoot -ChildPath 'result.json'),
    [string] $RollbackPath = (Join-Path -Path $PSScriptRoot -ChildPath 'rollback-result.json')
)
Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'

#region plan: data only
$Plan = @{
    Digest = '559e8c8f3eeb4204afba7cb544164e780697516b36c09187dbad24394c85f144'
    Target = 'conn1.contoso.test'
    Tool = 'remediate 0.1.0'
    ExpiresAt = '2026-11-30T09:12:00Z'
    NotBefore = ''
    NotAfter = ''
    ComputerName = 'CONN1'
    MachineGuid = '4a466256-1616-4b62-995f-781af4d5491e'
    Steps = @(
        @{
            Id = 7
            Kind = 'policy_server'
            Label = 'enrollment policy server https://ces.contoso.test/ADPolicyProvider_CEP_Kerberos/service.svc/CEP on conn1'
            DependsOn = @()
            Restarts = ''
            Disruption = 'the cmdlet contacts the URL while it adds it'
            UndoMissing = ''
            Url = 'https://ces.contoso.test/ADPolicyProvider_CEP_Kerberos/service.svc/CEP'
            Before = @{
                'Url' = $null
            }
            After = @{
                'Url' = 'https://ces.contoso.test/ADPolicyProvider_CEP_Kerberos/service.svc/CEP'
            }
        }
    )
}
#endregion

#region library: the same text in every script
# (the functions of scripts/lib that this script calls)
#endregion

#region main
try { Confirm-Engine }
catch {
    Write-Warning -Message "$($_.Exception.Message) Nothing was changed."
    exit 3
}
# How each kind of step is read.
$read = {
    param($Step)
    switch ($Step.Kind) {
        'policy_server' { Get-EnrollmentPolicyServerState -Url $Step.Url }
    }
}
# An administrator of this host may write all of it: there is nothing to look at beforehand.
$check = {}
# How it is written. Each of these functions compares before it writes, and reads back what it wrote.
$write = {
    param($Step, $Now)
    switch ($Step.Kind) {
        'policy_server' {
            if ($null -eq $Step.After.Url) { [void] (Remove-EnrollmentPolicyServer -Url $Step.Url -Confirm:$false) }
            else { [void] (Add-EnrollmentPolicyServer -Url $Step.Url -Confirm:$false) }
        }
    }
}
$lock = $null
$token = Read-Token
$account = $token.Account
$result = New-RunResult -Kind 'change' -Plan $Plan -Account $account
try {
    # Refuses a wrong time, a wrong host and missing rights: exit 3, and nothing has been changed.
    Confirm-PlanTime -ExpiresAt $Plan.ExpiresAt -NotBefore $Plan.NotBefore -NotAfter $Plan.NotAfter
    Confirm-HostIdentity -ComputerName $Plan.ComputerName -MachineGuid $Plan.MachineGuid
    Confirm-Administrator -Token $token
    Confirm-Answer
    $ResultPath = Get-FullPath -Path $ResultPath
    $RollbackPath = Get-FullPath -Path $RollbackPath
    $lock = Lock-RunResult -Path $ResultPath
    $earlier = Read-EarlierRun -Plan $Plan -ResultPath $ResultPath -RollbackPath $RollbackPath -Result $result
    # Everything is read and compared before anything is written.
    $run = @{ Steps = $Plan.Steps; Earlier = $earlier.Record; Keep = $earlier.Keep; Path = $ResultPath }
    Invoke-PlanRun @run -Result $result -Cmdlet $PSCmdlet -Read $read -Check $check -Write $write
}
catch { Stop-PlanRun -Result $result -Message $_.Exception.Message }
finally {
    Close-RunResult -Result $result -Path $ResultPath
    if ($null -ne $lock) { $lock.Dispose() }
}
exit $result.exit_code
#endregion
