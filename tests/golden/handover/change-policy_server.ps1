#Requires -Version 5.1

<#
.SYNOPSIS
    Carries out an approved change of this host, for the certificates that Intune hands out (PKCS).
.DESCRIPTION
    Host       conn1.contoso.test, which Windows calls CONN1; every other host is refused
    For        Certificates that Intune hands out (PKCS) do not arrive, or will not. What was found:
               No policy server is known. Mended by change 7.
                  0x80094015, connector conn1.contoso.test; remediate calls it enrollment_policy_server_missing
    Changes    7. enrollment policy server https://ces.contoso.test/ADPolicyProvider_CEP_Kerberos/service.svc/CEP
                  on conn1
                  interrupts: the cmdlet contacts the URL while it adds it
                  takes effect: at the next request
    Rights     local administrator on the connector host
    Valid      until 2026-11-30T09:12:00Z (UTC); at another time it refuses
    Plan       03f9b890f1827447820e2023a2ca6b42a8833e1cb574d2212a6bbdc524feb88a
    Made       by remediate 0.1.0: remediate script plan.json --out FOLDER
               from facts that were read at 2026-11-23T09:12:00Z

    It reads every value before it writes one. Where something else stands than was approved, nothing is changed.
    It asks before each change. A value that is as wanted already is left as it is. After an interruption, run it
    again: it goes on where it stopped. What it does is recorded in result.json beside it; send that file back.
    To read it: '#region plan' says what is changed, '#region main', at the end, how; between them are functions.
.PARAMETER ResultPath
    The record that change.ps1 writes; without it result.json beside this script.
.PARAMETER RollbackPath
    The record that rollback.ps1 writes.
.EXAMPLE
    powershell.exe -NoProfile -ExecutionPolicy RemoteSigned -File .\change.ps1 -WhatIf
    Shows what it would write, and writes nothing.
.EXAMPLE
    powershell.exe -NoProfile -ExecutionPolicy RemoteSigned -File .\change.ps1
    Asks before each change.
.EXAMPLE
    powershell.exe -NoProfile -ExecutionPolicy RemoteSigned -Command "$ErrorActionPreference = 'Stop'; & .\change.ps1 -Confirm:$false; exit $LASTEXITCODE"
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
    [string] $ResultPath = '',
    [string] $RollbackPath = ''
)
Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'

#region plan: data only
$Plan = @{
    Digest = '03f9b890f1827447820e2023a2ca6b42a8833e1cb574d2212a6bbdc524feb88a'
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
try {
    Confirm-Engine
    $ResultPath = Get-RecordPath -Path $ResultPath -Folder $PSScriptRoot -Name 'result.json'
    $RollbackPath = Get-RecordPath -Path $RollbackPath -Folder $PSScriptRoot -Name 'rollback-result.json'
}
catch {
    Write-Warning -Message "$($_.Exception.Message) Nothing was changed."
    exit 3
}
# How each kind of step is read.
$read = {
    param($Step)
    switch ($Step['Kind']) {
        'policy_server' { Get-EnrollmentPolicyServerState -Url $Step['Url'] }
    }
}
# All of it takes an administrator of this host, and whether this is one is looked at first.
$check = {}
# How it is written. Each of these functions compares before it writes, and reads back what it wrote.
$write = {
    param($Step, $Now)
    switch ($Step['Kind']) {
        'policy_server' {
            if (-not $Step['After'].Url) { [void] (Remove-EnrollmentPolicyServer -Url $Step['Url'] -Confirm:$false) }
            else { [void] (Add-EnrollmentPolicyServer -Url $Step['Url'] -Confirm:$false) }
        }
    }
}
$lock = $null
$token = Read-Token
$account = $token['Account']
$result = New-RunResult -Kind 'change' -Plan $Plan -Account $account
try {
    # Refuses a wrong host, missing rights and a wrong time: exit 3, and nothing has been changed.
    Confirm-HostIdentity -ComputerName $Plan['ComputerName'] -MachineGuid $Plan['MachineGuid']
    Confirm-Administrator -Token $token
    Confirm-Answer
    $lock = Lock-RunResult -Path $ResultPath
    $earlier = Read-EarlierRun -Plan $Plan -ResultPath $ResultPath -RollbackPath $RollbackPath -Result $result
    $window = @{ ExpiresAt = $Plan['ExpiresAt']; NotBefore = $Plan['NotBefore']; NotAfter = $Plan['NotAfter'] }
    Confirm-PlanTime @window -Unfinished { Get-UnfinishedText -Plan $Plan -Record $earlier['Record'] }
    Confirm-HostFree
    # Everything is read and compared before anything is written.
    $run = @{ Steps = $Plan['Steps']; Earlier = $earlier['Record']; Keep = $earlier['Keep']; Path = $ResultPath }
    Invoke-PlanRun @run -Result $result -Cmdlet $PSCmdlet -Read $read -Check $check -Write $write
}
catch { Stop-PlanRun -Result $result -Message $_.Exception.Message }
finally {
    Close-RunResult -Result $result -Path $ResultPath
    if ($null -ne $lock) { $lock.Dispose() }
}
exit $result.exit_code
#endregion
