# Runs /job/runbook.ps1 with its parameters and puts each of PowerShell's streams where it belongs.
$ErrorActionPreference = 'Continue'
Import-Module /guardship/job_side/Guardship.psm1
$parameters = Get-Content -Raw /job/parameters.json | ConvertFrom-Json -AsHashtable
try {
    & /job/runbook.ps1 @parameters *>&1 | ForEach-Object {
        switch ($_) {
            { $_ -is [System.Management.Automation.WarningRecord] } { Write-JobStream Warning $_.Message; break }
            { $_ -is [System.Management.Automation.VerboseRecord] } { Write-JobStream Verbose $_.Message; break }
            { $_ -is [System.Management.Automation.DebugRecord] } { Write-JobStream Debug $_.Message; break }
            { $_ -is [System.Management.Automation.ErrorRecord] } { [Console]::Error.WriteLine("$_"); break }
            default { $_ | Out-String -Stream | ForEach-Object { if ($_.Trim()) { [Console]::Out.WriteLine($_) } } }
        }
    }
}
catch {
    [Console]::Error.WriteLine("line $($_.InvocationInfo.ScriptLineNumber): $($_.Exception.Message)")
    exit 1
}
