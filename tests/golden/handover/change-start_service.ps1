#Requires -Version 5.1

<#
.SYNOPSIS
    Carries out an approved change of this host, for the certificates that Intune hands out (PKCS).
.DESCRIPTION
    Host       ca02.contoso.test, which Windows calls CA02; every other host is refused
    For        Certificates that Intune hands out (PKCS) do not arrive, or will not. What was found:
               The CA's service does not run. Mended by change 6.
                  0x800706BA, CA Other CA; remediate calls it rpc_server_unavailable
    Changes    6. start CertSvc on ca02, once
    Rights     local administrator on the CA host
    Valid      until 2026-11-30T09:12:00Z (UTC); at another time it refuses
    Plan       4843d8036e0e4fbad228518ee3a5041a1169902273440ee66ccddd9cc4d592f0
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
    Digest = '4843d8036e0e4fbad228518ee3a5041a1169902273440ee66ccddd9cc4d592f0'
    Target = 'ca02.contoso.test'
    Tool = 'remediate 0.1.0'
    ExpiresAt = '2026-11-30T09:12:00Z'
    NotBefore = ''
    NotAfter = ''
    ComputerName = 'CA02'
    MachineGuid = '4a466256-1616-4b62-995f-781af4d5491e'
    CertificateThumbprint = 'ED98E70BE878383F50F941B02A392CD85B062774'
    Steps = @(
        @{
            Id = 6
            Kind = 'start_service'
            Label = 'start CertSvc on ca02, once'
            DependsOn = @()
            Restarts = ''
            Disruption = ''
            UndoMissing = ''
            Before = @{
                'State' = 'Stopped'
            }
            After = @{
                'State' = 'Running'
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
        'start_service' { Get-CertSvcState }
    }
}
# All of it takes an administrator of this host, and whether this is one is looked at first.
$check = {}
# How it is written. Each of these functions compares before it writes, and reads back what it wrote.
$write = {
    param($Step, $Now)
    switch ($Step['Kind']) {
        'start_service' {
            $run = $Step['After'].State -eq 'Running'
            $done = if ($run) { Start-CertSvc -Confirm:$false } else { Stop-CertSvc -Confirm:$false }
            'after {0} s' -f $done.Seconds
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
    Confirm-CaIdentity -Thumbprint $Plan['CertificateThumbprint']
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
