#Requires -Version 5.1

<#
.SYNOPSIS
    Carries out an approved change of this host, for the certificates that Intune hands out (PKCS).
.DESCRIPTION
    Host       ca01.contoso.test, which Windows calls CA01; every other host is refused
    Changes    5. decide once more on request 1207 of CONTOSO\CONN1$
                  takes effect: at once
                  no way back: a certificate that was issued can only be revoked
    Rights     Issue and Manage Certificates on the CA
    Valid      until 2026-11-30T09:12:00Z (UTC); at another time it refuses
    Plan       8c2cc9e16f2f1f42c86b54be5aa111931e1773f39dbb33ea14a80c26104e54e7
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
    Digest = '8c2cc9e16f2f1f42c86b54be5aa111931e1773f39dbb33ea14a80c26104e54e7'
    Target = 'ca01.contoso.test'
    Tool = 'remediate 0.1.0'
    ExpiresAt = '2026-11-30T09:12:00Z'
    NotBefore = ''
    NotAfter = ''
    ComputerName = 'CA01'
    MachineGuid = '4a466256-1616-4b62-995f-781af4d5491e'
    CertificateThumbprint = 'ED98E70BE878383F50F941B02A392CD85B062774'
    Steps = @(
        @{
            Id = 5
            Kind = 'pending_request'
            Label = 'decide once more on request 1207 of CONTOSO\CONN1$'
            DependsOn = @()
            Restarts = ''
            Disruption = ''
            UndoMissing = 'a certificate that was issued can only be revoked'
            RequestId = 1207
            Before = @{
                'Disposition' = 'pending'
            }
            After = @{
                'Disposition' = $null
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
        'pending_request' { Get-PendingRequestState -RequestId $Step['RequestId'] }
    }
}
# How the right to write it is looked at beforehand.
$check = {
    param($Step)
    switch ($Step['Kind']) {
        'pending_request' { Confirm-RequestRight -Token $token }
    }
}
# How it is written. Each of these functions compares before it writes, and reads back what it wrote.
$write = {
    param($Step, $Now)
    switch ($Step['Kind']) {
        'pending_request' { [void] (Submit-PendingRequest -RequestId $Step['RequestId'] -Confirm:$false) }
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
